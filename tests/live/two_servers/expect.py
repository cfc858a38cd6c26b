"""What the TOML and the products' declared capabilities say that an account may do. Knows no code.

`Expected.rights(login, path)`: what is declared, at the account's server, with `via`. `given(...)`:
with what comes along by the capabilities' own words. A capability whose sentence isn't one of those
below widens nothing here, so a table that is silent about something shows as a difference.
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "matrix"))
from oracle import Tree  # noqa: E402

ELSEWHERE = "of the others those come along that the account has somewhere else"
CREATES_TOO = "who reads or overwrites anywhere and changes a folder creates there too"
SWITCH = "whoever creates where somebody overwrites overwrites too"
FTP_ONLY = "over FTP only"


class Expected(Tree):
    def __init__(self, folder, capabilities):
        super().__init__(folder)
        # product -> right -> {"support", "widens_to", "why"}
        self.words = {product: {c["field"]: c for c in table if c["kind"] == "grant"}
                      for product, table in capabilities.items()}

    def server(self, login):
        return self.accounts[login]["server"]

    def logins(self, server):
        return [login for login in sorted(self.accounts) if self.server(login) == server]

    def says(self, product, right, sentence):
        return sentence in self.words[product].get(right, {}).get("why", "")

    def opens(self, grant, login):
        via = grant.get("via")
        return self.in_time(grant) and any(self.means(w, login) for w in grant["who"]) and (
            via is None or "server:" + self.server(login) in via)

    def stands(self, grant, login):
        """A group's rule names the group, so it stands when the contract of a member is over."""
        kind, name = self.accounts[login]["for"].split(":")
        contract = self.tables[kind].get(name, {}).get("contract", {})
        return self.in_time(contract, "ends") or any(
            w.startswith("group:") and self.means(w, login) for w in grant["who"])

    def rights(self, login, path, grants=None):
        """As declared, whether the account is shut or not."""
        have = set()
        for grant in self.grants if grants is None else grants:
            folder = self.folders[grant["folder"]]
            within = path == folder or os.path.dirname(path) == folder
            if grant.get("depth", "subtree") == "subtree":
                within = within or path.startswith(folder + "/")
            if within and self.opens(grant, login):
                have |= set(grant["rights"])
        return have

    def anywhere(self, login):
        return {right for grant in self.grants if self.opens(grant, login)
                for right in grant["rights"]}

    def given(self, login, folder):
        """On what lies in a folder: as declared, and what the product can't keep apart."""
        if not self.is_open(login):
            return set()
        have = self.rights(login, os.path.join(folder, "any"))
        if self.server(login) == "sftp":
            return self.given_by_openssh(login, have)
        return self.given_by_proftpd(folder, have)

    def given_by_openssh(self, login, have):
        anywhere, more = self.anywhere(login), set()
        for right in have:
            capability = self.words["openssh"].get(right, {})
            if capability.get("support") == "unsupported":
                have = have - {right}
            if capability.get("support") != "widens to":
                continue
            if self.says("openssh", right, ELSEWHERE):
                more |= set(capability["widens_to"]) & anywhere
            if self.says("openssh", "create", CREATES_TOO) and anywhere & {"read", "overwrite"}:
                more |= {"create"} & set(capability["widens_to"])
        return have | more

    def given_by_proftpd(self, folder, have):
        def overwrites(login):
            standing = [grant for grant in self.grants if self.stands(grant, login)]
            return "overwrite" in self.rights(login, os.path.join(folder, "any"), standing)

        somebody = any(overwrites(login) for login in self.logins("ftp"))
        if "create" in have and somebody and self.says("proftpd", "overwrite", SWITCH):
            return have | {"overwrite"}
        return have

    def chmods(self, protocol):
        """False where a granted chmod is refused for all that."""
        return protocol == "ftp" or not self.says("proftpd", "chmod", FTP_ONLY)
