"""Which events a trail takes in: PutEventSelectors, PutInsightSelectors and their Gets.

Differs from AWS: there are no data events and no Insights here; their selectors are kept and choose nothing.
"""

from typing import Any

from msgspec import structs

from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.engine.trail import errors
from hinoban.engine.trail.model import TrailConfig
from hinoban.engine.trail.names import find, find_to_change
from hinoban.engine.trail.state import TrailState

_MOST_SELECTORS = 5
_DEFAULT = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}
_OPERATORS = frozenset({"Equals", "StartsWith", "EndsWith", "NotEquals", "NotStartsWith", "NotEndsWith"})


class Selectors:
    def __init__(self, state: TrailState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {
            "PutEventSelectors": self.put_event_selectors,
            "GetEventSelectors": self.get_event_selectors,
            "PutInsightSelectors": self.put_insight_selectors,
            "GetInsightSelectors": self.get_insight_selectors,
        }

    def put_event_selectors(self, call: Call, params: Params) -> Result:
        """Either kind of selectors takes the place of whatever the trail had."""
        trail = find_to_change(self._state, call, params["TrailName"])
        basic, advanced = params.get("EventSelectors"), params.get("AdvancedEventSelectors")
        if bool(basic) == bool(advanced):
            raise errors.bad_selectors("Specify either event selectors or advanced event selectors, and at least one.")
        if advanced:
            _check_advanced(advanced)
            changed = structs.replace(trail, selectors=None, advanced=advanced)
        else:
            changed = structs.replace(trail, selectors=_checked(basic or []), advanced=None)
        self._state.put(changed)
        return _told(changed)

    def get_event_selectors(self, call: Call, params: Params) -> Result:
        return _told(find(self._state, call, params["TrailName"]))

    def put_insight_selectors(self, call: Call, params: Params) -> Result:
        trail = find_to_change(self._state, call, _trail_name(params))
        chosen = params["InsightSelectors"]
        if any("InsightType" not in one for one in chosen):
            raise errors.bad_insights("Each Insights selector needs an InsightType.")
        changed = structs.replace(trail, insights=chosen)
        self._state.put(changed)
        return {"TrailARN": trail.arn, "InsightSelectors": chosen}

    def get_insight_selectors(self, call: Call, params: Params) -> Result:
        trail = find(self._state, call, _trail_name(params))
        if not trail.insights:
            raise errors.no_insights(trail.arn)
        return {"TrailARN": trail.arn, "InsightSelectors": trail.insights}


def _trail_name(params: Params) -> str:
    if "EventDataStore" in params:
        raise errors.no_event_data_stores()
    if "TrailName" not in params:
        raise errors.trail_needed()
    name: str = params["TrailName"]
    return name


def _checked(selectors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(selectors) > _MOST_SELECTORS:
        raise errors.bad_selectors(f"A trail can have {_MOST_SELECTORS} event selectors at the most.")
    return [_DEFAULT | selector for selector in selectors]


def _check_advanced(selectors: list[dict[str, Any]]) -> None:
    for selector in selectors:
        fields = {field["Field"] for field in selector["FieldSelectors"]}
        if "eventCategory" not in fields:
            raise errors.bad_selectors("Each advanced event selector needs a field selector of eventCategory.")
        if any(not field.keys() & _OPERATORS for field in selector["FieldSelectors"]):
            raise errors.bad_selectors("Each field selector needs an operator, e.g. Equals.")


def _told(trail: TrailConfig) -> Result:
    if trail.advanced is not None:
        return {"TrailARN": trail.arn, "AdvancedEventSelectors": trail.advanced}
    return {"TrailARN": trail.arn, "EventSelectors": [_DEFAULT] if trail.selectors is None else trail.selectors}
