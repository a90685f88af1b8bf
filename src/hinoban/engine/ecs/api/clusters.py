"""CreateCluster, DescribeClusters, ListClusters, UpdateClusterSettings, DeleteCluster (facts/ecs.md §11.5)."""

import re

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.engine.ecs.api.names import active_cluster, check_tags, cluster_name, invalid_parameter, page
from hinoban.engine.ecs.model.clusters import DEFAULT_CLUSTER, Cluster
from hinoban.engine.ecs.model.views import cluster_view
from hinoban.engine.ecs.state import State

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_EVERYTHING = ["TAGS", "SETTINGS", "CONFIGURATIONS"]
_FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
_MOST_DESCRIBED = 100
_INSIGHTS = ("enabled", "disabled", "enhanced")  # "ClusterSetting" (API reference)


class Clusters:
    """The operations on clusters."""

    def __init__(self, state: State) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {
            "CreateCluster": self.create,
            "DescribeClusters": self.describe,
            "ListClusters": self.list_clusters,
            "UpdateClusterSettings": self.update_settings,
            "DeleteCluster": self.delete,
        }

    def create(self, call: Call, params: Params) -> Result:
        """Idempotent by name: an active cluster of this name is returned as it is."""
        name = params.get("clusterName") or DEFAULT_CLUSTER
        if not _NAME.fullmatch(name):
            raise invalid_parameter("Invalid identifier: Identifier is for cluster. Your identifier is invalid.")
        known = self._state.clusters.get((call.region, name))
        if known is not None and known.status == "ACTIVE":
            return {"cluster": self._view(known, _EVERYTHING)}
        check_tags(params)
        _check_settings(params)
        providers = tuple(params.get("capacityProviders", ()))
        for provider in providers:
            if provider not in _FARGATE_PROVIDERS:
                raise invalid_parameter(
                    f"The specified capacity provider was not found. Specify a valid name or ARN and try again. ({provider})"
                )
        cluster = Cluster(
            region=call.region,
            name=name,
            arn=arns.cluster_arn(call.region, call.account, name),
            settings=tuple(params.get("settings", ({"name": "containerInsights", "value": "disabled"},))),
            configuration=params.get("configuration"),
            capacity_providers=providers,
            default_strategy=tuple(params.get("defaultCapacityProviderStrategy", ())),
            tags=tuple(params.get("tags", ())),
        )
        self._state.put_cluster(cluster)
        return {"cluster": self._view(cluster, _EVERYTHING)}

    def describe(self, call: Call, params: Params) -> Result:
        """An unknown name is a failure in a 200 answer, not an error."""
        names = params.get("clusters") or [DEFAULT_CLUSTER]
        if len(names) > _MOST_DESCRIBED:
            raise invalid_parameter("Clusters cannot have more than 100 elements.")
        found, failures = [], []
        for text in names:
            name = cluster_name(text)
            cluster = self._state.clusters.get((call.region, name))
            if cluster is None:
                failures.append({"arn": arns.cluster_arn(call.region, call.account, name), "reason": "MISSING"})
            else:
                found.append(self._view(cluster, params.get("include", [])))
        return {"clusters": found, "failures": failures}

    def list_clusters(self, call: Call, params: Params) -> Result:
        names = sorted(
            name for (region, name), cluster in self._state.clusters.items() if region == call.region and cluster.status == "ACTIVE"
        )
        return page([arns.cluster_arn(call.region, call.account, name) for name in names], params, "clusterArns")

    def update_settings(self, call: Call, params: Params) -> Result:
        """Settings that are not named stay. No metrics are made of containerInsights here: it is kept and shown."""
        cluster = active_cluster(self._state, call, params)
        _check_settings(params)
        changed = {one["name"]: one for one in (*cluster.settings, *params["settings"])}
        updated = msgspec.structs.replace(cluster, settings=tuple(changed.values()))
        self._state.put_cluster(updated)
        return {"cluster": self._view(updated, _EVERYTHING)}

    def delete(self, call: Call, params: Params) -> Result:
        cluster = active_cluster(self._state, call, params)
        if any(not task.finished for task in self._state.cluster_tasks(call.region, cluster.name)):
            raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        deleted = msgspec.structs.replace(cluster, status="INACTIVE", deleted_at=call.now)
        self._state.put_cluster(deleted)
        return {"cluster": self._view(deleted, [])}

    def _view(self, cluster: Cluster, include: list[str]) -> Result:
        running, pending = self._state.counts(cluster.region, cluster.name)
        return cluster_view(cluster, running, pending, include)


def _check_settings(params: Params) -> None:
    """AWS's words as seen in github.com/terraform-aws-modules/terraform-aws-ecs#264."""
    for setting in params.get("settings", ()):
        if setting.get("value") not in _INSIGHTS:
            raise invalid_parameter("Invalid setting 'value'")
        if "name" not in setting:
            raise invalid_parameter("Invalid setting 'name'")  # UNCONFIRMED: by likeness.
