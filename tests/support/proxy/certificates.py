"""An own authority and a certificate for 127.0.0.1, made by openssl in a folder."""
import subprocess
from pathlib import Path

KINDS = ("good", "expired", "wrong-name")


def _openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")


def make(folder, kind):
    """Answers the paths of the authority, of another one, of the certificate, of its key."""
    folder = Path(folder).resolve()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for name in ("ca", "other"):
        _openssl("req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}", "-keyout",
                 str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"))
    _openssl("req", *key, "-subj", "/CN=iam", "-keyout", str(folder / "key.pem"), "-out",
             str(folder / "request.pem"))
    names = "DNS:elsewhere.example,IP:192.0.2.1" if kind == "wrong-name" else "DNS:localhost,IP:127.0.0.1"
    (folder / "names.cnf").write_text(f"subjectAltName={names}\n", encoding="ascii")
    _openssl("x509", "-req", "-days", "-1" if kind == "expired" else "2", "-in", str(folder / "request.pem"),
             "-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-extfile",
             str(folder / "names.cnf"), "-out", str(folder / "cert.pem"))
    return {name: str(folder / f"{name}.pem") for name in ("ca", "other", "cert", "key")}
