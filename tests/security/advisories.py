"""What went wrong in other registries, proxies and clients, and the tests that would have caught it here.

Each row names an advisory or issue, what was wrong, and tests as ``file::function``. :mod:`tests.security.test_advisories`
sees that they exist. Rows without tests say why: they concern what unhub does not have.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """One row. ``unless`` says why nothing is to be tested."""

    advisory: str
    fault: str
    tests: tuple[str, ...] = ()
    unless: str = ""


REALMS = "tests/unit/test_registry_realms.py"
AUTH = "tests/unit/test_registry_auth.py"
BLOBS = "tests/unit/test_registry_blobs.py"
CLIENT = "tests/unit/test_registry_client.py"
HOSTILE = "tests/protocol/test_hostile.py"
TAGS = "tests/protocol/test_tags.py"
PROTOCOL_BLOBS = "tests/protocol/test_blobs.py"
UPLOADS = "tests/protocol/test_uploads.py"
MANIFESTS = "tests/protocol/test_manifests.py"
BLOCKED = "tests/protocol/test_blocked.py"
STORE = "tests/contract/store/test_metadata.py"
CORE = "tests/faults/mirror/test_attacks.py"
MIRROR = "tests/security/test_mirror_security.py"
ROBUST = "tests/security/test_mirror_robust.py"
OPERATOR = "tests/security/test_mirror_operator.py"
PARTS = "tests/unit/test_server_parts.py"
LATER = "identities, tokens of our own and the web interface come later; mode `open` has none"

LESSONS = (
    # Upstream credentials and outgoing requests
    Lesson(
        "distribution CVE-2026-33540",
        "the proxy sends its credentials to any realm",
        (
            f"{REALMS}::test_any_other_token_service_gets_nothing",
            f"{AUTH}::test_a_hostile_realm_gets_neither_login_nor_request",
            f"{AUTH}::test_a_realm_that_turns_hostile_later_gets_nothing_either",
            f"{MIRROR}::test_a_hostile_realm_gets_no_login_through_the_mirror",
        ),
    ),
    Lesson(
        "containerd CVE-2020-15157",
        "the same, through a redirect",
        (
            f"{AUTH}::test_a_token_service_that_redirects_is_not_followed",
            f"{BLOBS}::test_the_login_stays_behind_at_a_redirect_to_another_host",
        ),
    ),
    Lesson(
        "oras-go CVE-2026-48978",
        "the same, and requests into private networks",
        (
            f"{REALMS}::test_a_registry_on_the_internet_cannot_send_us_into_our_network",
            f"{REALMS}::test_addresses_are_told_apart_whatever_they_are_wrapped_in",
            f"{MIRROR}::test_a_redirect_into_the_metadata_service_is_not_followed",
        ),
    ),
    # Access to content
    Lesson(
        "distribution CVE-2026-35172",
        "a deleted blob is readable again",
        (f"{PROTOCOL_BLOBS}::test_a_deleted_blob_is_gone_from_its_repository_only",),
    ),
    Lesson(
        "distribution CVE-2026-41888",
        "deleting a tag although deletes are off",
        (f"{TAGS}::test_nothing_is_deleted_where_that_is_switched_off",),
    ),
    Lesson(
        "zot CVE-2024-39897",
        "any blob is readable by its digest through any repository",
        (
            f"{PROTOCOL_BLOBS}::test_a_blob_is_read_only_through_a_repository_that_links_it",
            f"{STORE}::test_a_manifest_is_seen_only_through_a_repository_that_links_it",
            f"{UPLOADS}::test_a_blob_that_another_repository_has_is_mounted",
            f"{MIRROR}::test_private_content_leaks_by_no_door",
        ),
    ),
    Lesson(
        "zot CVE-2026-31801",
        "overwriting latest was checked as creating it",
        unless="there is no immutability and no right to create alone",
    ),
    Lesson("zot CVE-2025-23208", "removed groups were never revoked", unless=LATER),
    Lesson("Harbor CVE-2022-31667", "authorisation by an object's id", (f"{UPLOADS}::test_a_session_belongs_to_its_repository",)),
    Lesson(
        "Harbor GHSA-hw28-333w-qxp3",
        "authorisation by an object's id",
        (f"{UPLOADS}::test_a_session_cannot_be_guessed_and_its_id_is_no_path",),
    ),
    Lesson(
        "nora GHSA-4j4m-fchf-gr9r",
        "a policy is bypassed by Range or HEAD",
        (
            f"{BLOCKED}::test_it_is_read_in_no_way",
            f"{BLOCKED}::test_it_is_mounted_from_nowhere",
            f"{OPERATOR}::test_a_block_is_felt_within_a_second_by_all_workers_in_all_doors",
            f"{OPERATOR}::test_a_purge_is_felt_within_a_second_by_all_workers_in_all_doors",
        ),
    ),
    # Tokens, secrets, web interface
    Lesson("distribution CVE-2025-24976", "an attacker's key in a token is trusted", unless=LATER),
    Lesson("nora GHSA-78cx-cfhm-rgmx", "an admin token is minted by anybody", (f"{OPERATOR}::test_operations_need_the_admin_token",)),
    Lesson(
        "Harbor CVE-2026-4404",
        "a default admin password",
        (f"{PARTS}::test_the_admin_token_is_made_once_and_for_this_user_alone", f"{OPERATOR}::test_what_is_kept_is_for_this_user_alone"),
    ),
    Lesson("Harbor GHSA-j7jh-fmcm-xxwv", "a default key", (f"{PARTS}::test_the_admin_token_is_made_once_and_for_this_user_alone",)),
    Lesson("Harbor GO-2023-2109", "secrets compared by time", (f"{OPERATOR}::test_secrets_are_compared_in_constant_time",)),
    Lesson("Harbor GO-2024-2915", "an open redirect", (f"{MIRROR}::test_no_answer_sends_anybody_elsewhere",)),
    Lesson("Harbor GO-2024-2916", "SQL from what was sent", (f"{ROBUST}::test_hostile_requests",)),
    Lesson(
        "zot #3977",
        "bodies without an end",
        (
            f"{HOSTILE}::test_memory_stays_the_same_whatever_is_sent",
            f"{MANIFESTS}::test_manifests_over_the_cap_are_refused_before_they_are_read",
            f"{MIRROR}::test_answers_of_an_upstream_are_bounded",
        ),
    ),
    Lesson("zot #3978", "bodies without an end", (f"{OPERATOR}::test_bodies_of_operations_are_bounded",)),
    Lesson("zot #3980", "answers for scripts of any origin", (f"{OPERATOR}::test_no_page_of_another_origin_reads_an_answer",)),
    # Integrity of content
    Lesson("OCI CVE-2021-41190", "a manifest that is an index, too", (f"{MANIFESTS}::test_what_is_no_manifest_is_refused",)),
    Lesson(
        "containers/image CVE-2024-3727",
        "digests that are paths",
        (f"{HOSTILE}::test_paths_that_lead_outside_are_refused", f"{PROTOCOL_BLOBS}::test_what_is_no_digest_is_refused"),
    ),
    Lesson(
        "regclient CVE-2025-24882",
        "a pinned digest is not enforced",
        (f"{MIRROR}::test_content_that_is_not_its_digest_is_neither_served_nor_kept",),
    ),
    Lesson("nora #581", "unverified blobs are cached", ("tests/faults/mirror/test_matrix.py::test_without_a_fallback",)),
    Lesson("harbor#23882", "a web page is served as a blob", ("tests/faults/mirror/test_matrix.py::test_without_a_fallback",)),
    Lesson("zot#4246", "a truncated answer is cached", ("tests/faults/mirror/test_matrix.py::test_without_a_fallback",)),
    # Resource exhaustion
    Lesson(
        "distribution CVE-2023-2253",
        "a page size allocates",
        (f"{TAGS}::test_a_page_size_that_is_no_number_is_refused", f"{MIRROR}::test_a_huge_page_costs_nothing"),
    ),
    # Further points
    Lesson("foreign layers", "their urls are fetched", (f"{MIRROR}::test_urls_of_foreign_layers_are_never_asked",)),
    Lesson(
        "redirects",
        "followed anywhere, with the login",
        (
            f"{REALMS}::test_redirects_lead_to_https_or_stay_on_this_machine",
            f"{BLOBS}::test_redirects_in_a_circle_end",
            f"{BLOBS}::test_a_redirect_to_where_nobody_should_go_is_refused",
        ),
    ),
    Lesson(
        "namespaces",
        "an open proxy",
        (
            f"{MIRROR}::test_other_namespaces_are_asked_nowhere",
            "tests/unit/test_mirror_names.py::test_a_registry_that_is_not_configured_is_never_asked",
        ),
    ),
    Lesson(
        "decompression",
        "bombs, and other bytes than the digest's",
        (f"{BLOBS}::test_nothing_is_ever_unpacked", f"{MIRROR}::test_nothing_is_unpacked_on_its_way"),
    ),
    Lesson(
        "negative cache", "one caller's 404 is another's", (f"{CORE}::test_who_asks_for_a_layer_as_a_manifest_does_not_make_it_vanish",)
    ),
    Lesson(
        "private content",
        "told to anonymous callers",
        (
            f"{MIRROR}::test_private_content_leaks_by_no_door",
            f"{CORE}::test_what_turned_private_is_told_by_no_list_even_while_nobody_can_be_asked",
        ),
    ),
    Lesson(
        "names",
        "links, .., NUL, encodings",
        (f"{HOSTILE}::test_links_that_somebody_laid_are_not_followed_by_names", f"{HOSTILE}::test_paths_that_lead_outside_are_refused"),
    ),
    Lesson(
        "header injection",
        "through tags and texts of others",
        (f"{HOSTILE}::test_nothing_that_is_sent_makes_a_header", f"{HOSTILE}::test_texts_of_others_make_no_header"),
    ),
    Lesson(
        "slow-loris",
        "clients that say or read little",
        (f"{HOSTILE}::test_slow_clients_hold_up_nobody", f"{ROBUST}::test_readers_that_stall_hold_up_nobody_and_leave_nothing_open"),
    ),
    Lesson(
        "upload sessions",
        "guessed by another user",
        (
            f"{HOSTILE}::test_with_a_push_password_only_who_knows_it_pushes_and_everybody_pulls",
            f"{UPLOADS}::test_a_session_cannot_be_guessed_and_its_id_is_no_path",
        ),
    ),
    Lesson("logs", "tokens and signed links in them", (f"{OPERATOR}::test_no_secret_is_logged_kept_or_shown",)),
    Lesson("metrics", "open to everybody", (f"{OPERATOR}::test_metrics_and_status_are_for_this_machine_alone",)),
)
