"""The image map: the first rule that matches decides."""

from hinoban.engine.runtime.images import ImageRule, Resolved, resolve

JOB = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/team/job:1.2"


def test_an_image_without_a_rule_runs_as_it_is():
    assert resolve("busybox:1", ()) == Resolved("busybox:1", None)
    assert resolve("busybox:1", [ImageRule(match="*/job:*", use="x")]) == Resolved("busybox:1", None)


def test_the_first_rule_that_matches_decides():
    rules = [ImageRule(match="*.dkr.ecr.*/job:*", use="job:dev", command=("run",)), ImageRule(match="*", use="other")]
    assert resolve(JOB, rules) == Resolved("job:dev", ("run",))
    assert resolve("busybox", rules) == Resolved("other", None)


def test_a_rule_may_give_only_a_command():
    assert resolve(JOB, [ImageRule(match="*/job:1.?", command=("sh", "-c", "true"))]) == Resolved(JOB, ("sh", "-c", "true"))


def test_a_glob_matches_the_whole_name_in_its_own_case():
    assert resolve("my/job:1", [ImageRule(match="job:*", use="x")]).image == "my/job:1"
    assert resolve("Job:1", [ImageRule(match="job:*", use="x")]).image == "Job:1"
