"""The emulator's child process: the protocol that Snowflake's connector speaks.

fakesnow's own server needs two more libraries, answers HTTP 500 to unexpected errors,
knows no session parameters, and cannot stop a statement.
"""

from __future__ import annotations

import gzip
import json
import os
import secrets
import shutil
import tempfile
import threading
import traceback
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import jwt
from werkzeug.wrappers import Request, Response

from reelhouse.local.child import run_server
from reelhouse.local.emulator import PUBLIC_KEY
from reelhouse.s3 import S3Settings

STATEMENT_SECONDS = 300.0
# Snowflake's error number for a login with an unknown key.
INVALID_JWT = 390_144


class Service:
    """The WSGI application: sessions by token, and those of running requests by id."""

    def __init__(self, account: Any, public_key: str) -> None:
        self.account = account
        self.public_key = public_key
        self.sessions: dict[str, Any] = {}
        self.running: dict[str, Any] = {}
        self.lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        action = {
            "/session/v1/login-request": self.log_in,
            "/session": self.keep_or_end,
            "/session/heartbeat": self.keep_or_end,
            "/queries/v1/query-request": self.query,
            "/queries/v1/abort-request": self.abort,
        }.get(request.path)
        try:
            answer = action(request) if action else _failure(f"No {request.path} here.")
        except Exception as error:  # noqa: BLE001
            # After an HTTP 500, the connector would retry for minutes.
            traceback.print_exc()
            from reelhouse.local.emulator.session import as_sql_error

            known = as_sql_error(error)
            answer = _failure(str(known.raw_msg), known.errno, known.sqlstate)
        response = Response(json.dumps(answer), mimetype="application/json")
        return response(environ, start_response)

    def log_in(self, request: Request) -> dict[str, Any]:
        """Open a session for any user with the key, unless a fault is set (D22)."""
        from reelhouse.local.emulator.session import fail_as_told

        asked = _body(request)["data"]
        try:
            jwt.decode(asked.get("TOKEN") or "", self.public_key, algorithms=["RS256"])
        except jwt.InvalidTokenError as error:
            return _failure(f"JWT token is invalid. [{error}]", INVALID_JWT, "08001")
        fail_as_told(self.account, f"login {asked.get('LOGIN_NAME')}")
        parameters = {
            name.upper(): value
            for name, value in (asked.get("SESSION_PARAMETERS") or {}).items()
        }
        session = self.account.open_session(
            request.args.get("databaseName"),
            request.args.get("schemaName"),
            request.args.get("roleName"),
            parameters,
        )
        token = secrets.token_urlsafe(32)
        self.sessions[token] = session
        return _success(
            {
                "token": token,
                "masterToken": token,
                "sessionId": session.number,
                "serverVersion": "10.0.0",
                "parameters": [
                    {"name": "AUTOCOMMIT", "value": True},
                    {"name": "TIMEZONE", "value": "Etc/UTC"},
                    {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 65_280},
                ],
                "sessionInfo": {
                    "databaseName": session.database,
                    "schemaName": session.schema,
                    "warehouseName": request.args.get("warehouse"),
                    "roleName": request.args.get("roleName"),
                },
            }
        )

    def keep_or_end(self, request: Request) -> dict[str, Any]:
        token, session = self.session(request)
        if request.args.get("delete"):
            del self.sessions[token]
            session.close()
        return _success(None)

    def query(self, request: Request) -> dict[str, Any]:
        _, session = self.session(request)
        asked = _body(request)
        name = request.args.get("requestId", "")
        self.running[name] = session
        try:
            return _run(session, asked)
        finally:
            self.running.pop(name, None)

    def abort(self, request: Request) -> dict[str, Any]:
        from reelhouse.local.emulator.session import CANCELED

        session = self.running.get(_body(request).get("requestId", ""))
        if session:
            session.stop(CANCELED, "SQL execution canceled")
        return _success(None)

    def session(self, request: Request) -> tuple[str, Any]:
        """The token of a request, and the session that it stands for."""
        token = request.headers.get("Authorization", "").partition('"')[2].rstrip('"')
        session = self.sessions.get(token)
        if not session:
            raise LookupError("This session has ended: log in again.")
        return token, session


def _run(session: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Run a statement and return its result in the connector's format."""
    from fakesnow.arrow import to_ipc, to_sf
    from fakesnow.statement_type import DML_TYPE_IDS

    from reelhouse.local.emulator.deviations import NotEmulated
    from reelhouse.local.emulator.session import remember_statement

    if asked.get("describeOnly"):
        raise NotEmulated("to describe a statement without running it")
    if asked.get("bindStage"):
        raise NotEmulated("values for several rows")
    cursor = session.cursor()
    sql = asked["sqlText"]
    remember_statement(session, sql)
    cursor.execute(sql, binding_params=_parameters(asked), server=True)
    rowtype = cursor.rowtype()
    if cursor.put:
        return _success(cursor.put)
    table = cursor.table
    data = {
        "parameters": [{"name": "TIMEZONE", "value": "Etc/UTC"}],
        "rowtype": rowtype,
        "total": table.num_rows,
        "returned": table.num_rows,
        "queryId": cursor.sfqid,
        "statementTypeId": cursor.type_id,
        "finalDatabaseName": session.database,
        "finalSchemaName": session.schema,
    }
    if cursor.type_id in DML_TYPE_IDS:
        counts = [[str(value) for value in row.values()] for row in table.to_pylist()]
        return _success(data | {"queryResultFormat": "json", "rowset": counts})
    encoded = b64encode(to_ipc(to_sf(table, rowtype))).decode()
    return _success(data | {"queryResultFormat": "arrow", "rowsetBase64": encoded})


def _parameters(asked: Mapping[str, Any]) -> list[Any] | None:
    """Return the values bound to a statement's question marks, in order."""
    from fakesnow.converter import from_binding

    from reelhouse.local.emulator.deviations import NotEmulated

    bound = asked.get("bindings") or {}
    values: list[Any] = []
    for each in (bound[str(number)] for number in range(1, len(bound) + 1)):
        text = each["value"]
        if isinstance(text, list):
            raise NotEmulated("values for several rows")
        if text and each["type"] == "REAL":
            values.append(float(text))
        else:
            values.append(text and from_binding(each))
    return values or None


def _body(request: Request) -> Any:
    content = request.get_data()
    if request.headers.get("Content-Encoding") == "gzip":
        content = gzip.decompress(content)
    return json.loads(content)


def _success(data: Any) -> dict[str, Any]:
    return {"success": True, "code": None, "message": None, "data": data}


def _failure(
    message: str, number: int = 370001, state: str | None = "XX000"
) -> dict[str, Any]:
    code = f"{number:06d}"
    return {
        "success": False,
        "code": code,
        "message": message,
        "data": {"errorCode": code, "sqlState": state},
    }


def main() -> None:
    # fakesnow creates a temporary folder when it is imported, and never removes it.
    scratch = tempfile.mkdtemp(prefix="reelhouse-emulator-")
    tempfile.tempdir = scratch
    from reelhouse.local.emulator.session import Account

    s3 = S3Settings() if os.environ.get("AWS_ENDPOINT_URL") else None
    account = Account(scratch, s3, STATEMENT_SECONDS)
    service = Service(account, os.environ[PUBLIC_KEY])
    run_server(service, tidy_up=lambda: shutil.rmtree(scratch))


if __name__ == "__main__":
    main()
