"""A model of a Snowflake account that follows the statements of the setup.

It tracks owners, roles granted to roles, and privileges. It refuses what Snowflake
refuses: a name that does not exist, and a grant or change by a role that does not own
the object. It holds no data. An unknown statement is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

SYSTEM_ROLES = {
    "ACCOUNTADMIN": {"SYSADMIN", "SECURITYADMIN"},
    "SECURITYADMIN": {"USERADMIN"},
    "SYSADMIN": set(),
    "USERADMIN": set(),
}
# The role that may create each kind of object; privileges may allow other roles.
MAKERS = {
    "ROLE": "USERADMIN",
    "USER": "USERADMIN",
    "WAREHOUSE": "SYSADMIN",
    "DATABASE": "SYSADMIN",
    "RESOURCE MONITOR": "ACCOUNTADMIN",
    "STORAGE INTEGRATION": "ACCOUNTADMIN",
    "NETWORK POLICY": "SECURITYADMIN",
}
ACCOUNT_KINDS = tuple(MAKERS)
INNER_KINDS = (
    *("SCHEMA", "DATABASE ROLE", "STAGE", "MASKING POLICY", "FUNCTION", "STREAMLIT"),
    *("TABLE", "VIEW"),
)
KIND = "|".join(sorted((*ACCOUNT_KINDS, *INNER_KINDS), key=len, reverse=True))

CREATE = re.compile(
    rf"CREATE (TRANSIENT )?(?P<kind>{KIND}) IF NOT EXISTS (?P<name>[\w.]+)\b.*"
)
ALTER = re.compile(
    rf"ALTER (?P<kind>{KIND}) (IF EXISTS )?(?P<name>\S+) (SET |MODIFY COLUMN ).*"
)
DROP = re.compile(rf"DROP (?P<kind>{KIND}|INTEGRATION) IF EXISTS (?P<name>\S+)")
GRANT_ROLE = re.compile(
    r"GRANT (?P<kind>ROLE|DATABASE ROLE) (?P<name>\S+) "
    r"TO (?P<to>ROLE|DATABASE ROLE|USER) (?P<grantee>\S+)"
)
GRANT = re.compile(
    rf"GRANT (?P<privileges>[A-Z, ]+?) ON "
    rf"((?P<reach>ALL|FUTURE) (?P<many>TABLES|VIEWS|STREAMLITS) "
    rf"IN SCHEMA (?P<schema>\S+)"
    rf"|(?P<kind>{KIND}|INTEGRATION) (?P<name>\S+)|ACCOUNT) "
    rf"TO (?P<to>ROLE|DATABASE ROLE) (?P<grantee>\S+)"
)
REVOKE = re.compile(
    r"REVOKE (?P<privilege>[A-Z ]+) ON (?P<kind>SCHEMA) (?P<name>\S+) "
    r"FROM DATABASE ROLE (?P<grantee>\S+)"
)
SWAP = re.compile(r"ALTER SCHEMA (?P<left>\S+) SWAP WITH (?P<right>\S+)")


class Refused(AssertionError):
    """A statement that the account refuses."""


@dataclass(frozen=True)
class Privilege:
    """A privilege on an object; a kind such as `FUTURE TABLES` covers many objects."""

    privilege: str
    kind: str
    name: str


@dataclass
class Account:
    """Objects and their owners, roles granted to roles, and privileges by role."""

    role: str = "PUBLIC"
    owners: dict[tuple[str, str], str] = field(default_factory=dict)
    inside: dict[str, set[str]] = field(
        default_factory=lambda: {name: set(has) for name, has in SYSTEM_ROLES.items()}
    )
    granted: dict[str, set[Privilege]] = field(default_factory=dict)
    user_roles: dict[str, set[str]] = field(default_factory=dict)

    def run(self, statements: list[str]) -> None:
        for statement in statements:
            self.execute(statement)

    def execute(self, statement: str) -> None:
        """Execute one statement; raises Refused if the account would refuse it."""
        text = " ".join(statement.upper().split())
        if match := re.fullmatch(r"USE ROLE (\S+)", text):
            if match[1] not in self.inside:
                raise Refused(f"no role {match[1]}")
            self.role = match[1]
        elif match := re.fullmatch(r"USE WAREHOUSE (\S+)", text):
            self.owner("WAREHOUSE", match[1])
        elif match := CREATE.fullmatch(text):
            self.create(match["kind"], match["name"])
        elif match := ALTER.fullmatch(text):
            # Builds create the tables, so this account does not know them.
            if match["kind"] != "TABLE":
                self.must_own(match["kind"], match["name"])
        elif match := DROP.fullmatch(text):
            self.drop(match["kind"], match["name"])
        elif match := GRANT_ROLE.fullmatch(text):
            self.grant_role(**match.groupdict())
        elif match := GRANT.fullmatch(text):
            self.grant(match)
        elif match := REVOKE.fullmatch(text):
            self.must_own(match["kind"], match["name"])
            self.granted.get(match["grantee"], set()).discard(
                Privilege(match["privilege"], match["kind"], match["name"])
            )
        elif match := SWAP.fullmatch(text):
            self.swap(match["left"], match["right"])
        else:
            raise Refused(f"a statement of no known form: {text}")

    def contains(self, role: str) -> set[str]:
        """Return a role and every role granted to it, directly or indirectly."""
        found = {role}
        for other in self.inside.get(role, set()):
            found |= self.contains(other)
        return found

    def privileges(self, role: str) -> set[Privilege]:
        """Return the privileges of a role, also those of roles granted to it."""
        within = self.contains(role)
        owned = {
            Privilege("OWNERSHIP", kind, name)
            for (kind, name), owner in self.owners.items()
            if owner in within
        }
        return owned.union(*(self.granted.get(other, set()) for other in within))

    def readable_schemas(self, role: str) -> set[str]:
        """Return schemas whose present and future tables and views a role can read."""
        has = self.privileges(role)
        return {
            name
            for kind, name in self.owners
            if kind == "SCHEMA"
            and has & {Privilege(p, kind, name) for p in ("USAGE", "OWNERSHIP")}
            and any(
                p.name == name and p.privilege in {"SELECT", "OWNERSHIP"} for p in has
            )
        }

    def owner(self, kind: str, name: str) -> str:
        if (kind, name) not in self.owners:
            raise Refused(f"no {kind} {name}")
        return self.owners[kind, name]

    def must_own(self, kind: str, name: str) -> None:
        if self.owner(kind, name) not in self.contains(self.role):
            raise Refused(f"{self.role} has no say over {kind} {name}")

    def create(self, kind: str, name: str) -> None:
        container, _, _ = name.rpartition(".")
        if (kind, name) in self.owners:
            return
        has = self.privileges(self.role)
        if kind in ACCOUNT_KINDS:
            may = MAKERS[kind] in self.contains(self.role) or (
                Privilege(f"CREATE {kind}", "ACCOUNT", "") in has
            )
        else:
            above = "DATABASE" if kind in {"SCHEMA", "DATABASE ROLE"} else "SCHEMA"
            self.owner(above, container)
            may = bool(
                has
                & {
                    Privilege("OWNERSHIP", above, container),
                    Privilege(f"CREATE {kind}", above, container),
                }
            )
        if not may:
            raise Refused(f"{self.role} may not create {kind} {name}")
        self.owners[kind, name] = self.role
        if kind == "DATABASE":
            self.owners["SCHEMA", f"{name}.PUBLIC"] = self.role
        if kind in {"ROLE", "DATABASE ROLE"}:
            self.inside[name] = set()

    def drop(self, kind: str, name: str) -> None:
        kind = "STORAGE INTEGRATION" if kind == "INTEGRATION" else kind
        if (kind, name) not in self.owners:
            return
        self.must_own(kind, name)
        gone = {
            other
            for other in self.owners
            if other == (kind, name)
            or (kind in {"DATABASE", "SCHEMA"} and other[1].startswith(f"{name}."))
        }
        for other in gone:
            del self.owners[other]
        lost = {other for other_kind, other in gone if other_kind.endswith("ROLE")}
        self.inside = {r: has - lost for r, has in self.inside.items() if r not in lost}
        self.granted = {
            role: {p for p in has if self.is_there(p)}
            for role, has in self.granted.items()
            if role not in lost
        }
        if kind == "USER":
            self.user_roles.pop(name, None)

    def swap(self, left: str, right: str) -> None:
        """Swap the names of two schemas; privileges stay with the renamed objects."""
        for name in (left, right):
            self.must_own("SCHEMA", name)

        def other(name: str) -> str:
            for one, two in ((left, right), (right, left)):
                if name == one or name.startswith(f"{one}."):
                    return two + name.removeprefix(one)
            return name

        self.owners = {(kind, other(n)): by for (kind, n), by in self.owners.items()}
        self.granted = {
            role: {replace(p, name=other(p.name)) for p in has}
            for role, has in self.granted.items()
        }

    def is_there(self, privilege: Privilege) -> bool:
        is_bulk = privilege.kind.startswith(("ALL ", "FUTURE "))
        kind = "SCHEMA" if is_bulk else privilege.kind
        return kind == "ACCOUNT" or (kind, privilege.name) in self.owners

    def grant_role(self, kind: str, name: str, to: str, grantee: str) -> None:
        self.must_own(kind, name)
        if to == "USER":
            self.owner("USER", grantee)
            self.user_roles.setdefault(grantee, set()).add(name)
            return
        if grantee not in SYSTEM_ROLES:
            self.owner(to, grantee)
        if to == "DATABASE ROLE" and name.split(".")[0] != grantee.split(".")[0]:
            raise Refused(f"{name} and {grantee} are of two databases")
        self.inside[grantee].add(name)
        self.contains(name)

    def grant(self, match: re.Match[str]) -> None:
        to, grantee = match["to"], match["grantee"]
        if grantee not in SYSTEM_ROLES:
            self.owner(to, grantee)
        if match["schema"]:
            kind, name = f"{match['reach']} {match['many']}", match["schema"]
            self.must_own("SCHEMA", name)
        elif match["kind"]:
            kind = match["kind"]
            name = match["name"]
            kind = "STORAGE INTEGRATION" if kind == "INTEGRATION" else kind
            # Every schema has managed access: only its owner can grant privileges.
            inner = kind in INNER_KINDS and kind not in {"SCHEMA", "DATABASE ROLE"}
            self.owner(kind, name)
            if inner:
                self.must_own("SCHEMA", name.rpartition(".")[0])
            else:
                self.must_own(kind, name)
        else:
            kind, name = "ACCOUNT", ""
            if self.role != "ACCOUNTADMIN":
                raise Refused(
                    f"{self.role} may not give away privileges on the account"
                )
        for privilege in match["privileges"].split(","):
            given = Privilege(privilege.strip(), kind, name)
            self.granted.setdefault(grantee, set()).add(given)
