"""Where to look for an image whose tag is not there: each registry is asked in its own way. Pure."""

from hinoban.watch.explain.language import either

_ECR = ".dkr.ecr."
_DOCKER_HUB = "Docker Hub"


def tags_advice(image: str, definition: str) -> str:
    """A sentence with a command: ECR lists its tags, any other registry is asked for the one; of an unknown image, what names it."""
    host, repository = _parts(image)
    if not image:
        return (
            either("Read which it is", "イメージ名を確認")
            + f": aws ecs describe-task-definition --task-definition {definition or 'FAMILY'}"
        )
    if _ECR in host:
        return either("Its tags", "タグの一覧") + f": aws ecr describe-images --repository-name {repository}"
    return either(f"Look for it in {host}", f"{host} にあるか確認") + f": docker manifest inspect {image}"


def _parts(image: str) -> tuple[str, str]:
    """`123.dkr.ecr.eu-west-1.amazonaws.com` and `team/job` of `123.dkr.ecr.eu-west-1.amazonaws.com/team/job:1.2@sha256:...`."""
    path = image.partition("@")[0]
    host, slash, rest = path.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return host, rest.partition(":")[0]
    return _DOCKER_HUB, path.partition(":")[0]
