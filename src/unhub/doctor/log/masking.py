"""Secrets that stand in logs are never shown again: each is replaced before a line is printed anywhere.

Forms: AWS access keys (IAM user guide, unique identifiers), tokens of ECR (base64 JSON, so ``eyJ`` or ``QVdTOmV5``),
JSON Web Tokens, tokens of Docker Hub, GitHub and GitLab by their prefixes, ``Authorization`` headers, names that end
in password, secret or token with a value behind them, user and password in URLs, signed URLs.
"""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "[hidden]"
"""What stands in the place of a secret."""

_NAME = r"[\w.-]{0,60}(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|signature)"
_NO_VALUE = r"(?!(?:invalid|unexpected|expired|required|missing|denied|unauthorized|not|is|the|error|failed|incorrect|unknown|for|\d{3})\b)"
"""Words behind ``token:`` that belong to a message, not to a secret."""

_WHOLE = (
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,124}\b",
    r"\b(?:eyJ|QVdTOmV5)[\w+/=.~-]{8,}",
    r"\b(?:gh[pousr]_|github_pat_|glpat-|glcbt-|glrt-|dckr_(?:pat|oat|jti)_|xox[abprs]-|npm_)[\w=.-]{6,}",
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*",
    r"(?<![\w+/.:@-])(?=[\w+/]{0,39}\d)(?=[\w+/]{0,39}[A-Z])(?=[\w+/]{0,39}[a-z])[0-9a-zA-Z+/]{40}(?![\w+/=.-])",
)
_AFTER = (
    r"""(\bauthorization["']?\s*[:=]\s*["']?(?:basic|bearer|digest|aws4-hmac-sha256)?\s*)[^\s"'].*""",
    r"""(\b(?:bearer|basic) )[\w+/=.~-]{8,}""",
    rf"""((?<![\w.-]){_NAME}["']?\s{{0,3}}(?:=|:(?!//)|=>)\s{{0,3}}["']?){_NO_VALUE}[^\s"',;&}}]{{3,}}""",
    r"""(--?(?:password|passwd|secret|token|pass)(?:=|\s{1,3})["']?)(?!-|(?:via|and|option|is|for|or)\b)[^\s"']+""",
    r"""(\bdocker login [^|]{0,200}?-p\s{0,3}["']?)[^\s"'|]+""",
    r"""("auth"\s*:\s*")[^"]+""",
    r"""([?&](?:X-Amz-[\w-]*(?:Signature|Credential|Token)|Signature|sig|token|key|Policy)=)[^\s&"']+""",
)
_URL = re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)[^\s/@:\"']{0,200}:[^\s/@\"']{1,500}@", re.IGNORECASE)
_SECRET = re.compile("|".join(_WHOLE))
_VALUES = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _AFTER)


def masked(text: str) -> str:
    """A text with every secret in it replaced."""
    text = _URL.sub(rf"\1{HIDDEN}@", text)
    for pattern in _VALUES:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return _SECRET.sub(HIDDEN, text)
