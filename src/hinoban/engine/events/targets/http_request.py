"""The HTTP requests of an API destination and of its OAuth endpoint, built as data (facts/eventbridge.md §6.2, API destination). PURE."""

import base64
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from hinoban.aws.call import Params
from hinoban.engine.events.targets.connections import Connection, Destination

_ALWAYS = {
    "User-Agent": "Amazon/EventBridge/ApiDestinations",
    "Content-Type": "application/json; charset=utf-8",
    "Range": "bytes=0-1048575",
    "Accept-Encoding": "gzip,deflate",
    "Connection": "close",
}
_BODILESS = ("GET", "HEAD")


class HttpCall(Struct, frozen=True):
    """One request. Header values may hold any text."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes


def of_event(destination: Destination, connection: Connection, parameters: Params, text: str, token: str | None) -> HttpCall:
    """The request for one event; `parameters` are the target's HttpParameters, `token` an OAuth connection's.

    What the connection sets wins over what the target sets (AWS's page "API destinations as targets").
    """
    common = connection.auth.get("InvocationHttpParameters", {})
    query = {**parameters.get("QueryStringParameters", {}), **_pairs(common.get("QueryStringParameters", ()))}
    headers = dict(_ALWAYS)
    for given in (parameters.get("HeaderParameters", {}), _pairs(common.get("HeaderParameters", ())), _authorization(connection, token)):
        _set(headers, given)
    content = b"" if destination.method in _BODILESS else _with_body(text, _pairs(common.get("BodyParameters", ()))).encode()
    url = _with_query(_filled(destination.endpoint, parameters.get("PathParameterValues", ())), query)
    return HttpCall(destination.method, url, headers, content)


def of_token(connection: Connection) -> HttpCall:
    """The request for an access token with client credentials (RFC 6749 §4.4); its parameters go over ours.

    UNCONFIRMED where AWS puts the credentials; servers must take them in the body if they do not take the header.
    """
    oauth = connection.auth["OAuthParameters"]
    client, extra = oauth["ClientParameters"], oauth.get("OAuthHttpParameters", {})
    form = {
        "grant_type": "client_credentials",
        "client_id": client["ClientID"],
        "client_secret": client["ClientSecret"],
        **_pairs(extra.get("BodyParameters", ())),
    }
    headers = dict(_ALWAYS)
    _set(headers, {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"})
    _set(headers, _pairs(extra.get("HeaderParameters", ())))
    query = _pairs(extra.get("QueryStringParameters", ()))
    if oauth["HttpMethod"] == "GET":
        return HttpCall("GET", _with_query(oauth["AuthorizationEndpoint"], {**form, **query}), headers, b"")
    return HttpCall(oauth["HttpMethod"], _with_query(oauth["AuthorizationEndpoint"], query), headers, urlencode(form).encode())


def _authorization(connection: Connection, token: str | None) -> dict[str, str]:
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    if (basic := connection.auth.get("BasicAuthParameters")) is not None and connection.kind == "BASIC":
        credentials = f"{basic['Username']}:{basic['Password']}".encode()
        return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}
    if (key := connection.auth.get("ApiKeyAuthParameters")) is not None and connection.kind == "API_KEY":
        return {key["ApiKeyName"]: key["ApiKeyValue"]}
    return {}


def _set(headers: dict[str, str], given: dict[str, str]) -> None:
    """Header names differ in more than their case."""
    for name, value in given.items():
        for same in [each for each in headers if each.lower() == name.lower()]:
            del headers[same]
        headers[name] = value


def _pairs(given: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {each["Key"]: each.get("Value", "") for each in given if "Key" in each}


def _filled(endpoint: str, values: Iterable[str]) -> str:
    """The endpoint with its stars replaced in order."""
    pieces = endpoint.split("*")
    given = [quote(value, safe="") for value in values]
    return pieces[0] + "".join((given[at] if at < len(given) else "*") + piece for at, piece in enumerate(pieces[1:]))


def _with_query(url: str, query: dict[str, str]) -> str:
    if not query:
        return url
    parts = urlsplit(url)
    there = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in query]
    return urlunsplit(parts._replace(query=urlencode([*there, *query.items()])))


def _with_body(text: str, extra: dict[str, str]) -> str:
    """The text; members are added only to a JSON object."""
    if not extra:
        return text
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return msgspec.json.encode({**body, **extra}).decode() if isinstance(body, dict) else text
