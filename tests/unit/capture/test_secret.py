from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.model.secret import bare_credential, credential_digest, is_secret_name

SECRETS = """
authorization proxy-authorization cookie set-cookie x-api-key api_key apiKey APIKey key token access_token
accessToken refresh_token id_token csrfmiddlewaretoken x-csrf-token password passwordConfirmation password2
new_password userPassword secret client_secret clientSecretValue X-Amz-Signature X-Amz-Security-Token
AWS_SECRET_ACCESS_KEY private_key privateKeyPem x-functions-key Ocp-Apim-Subscription-Key sessionid
PHPSESSID connect.sid credit_card cardNumber cvv pin xAuthToken sig stripe-signature jwt otp auth
access_tokens tokenValue x-goog-api-key x-acme-key social_security_number cc_number card_no pin_code cvv_code
auth_code device_code code_verifier authentication x-authentication hmac dpop pass db_pass x-amzn-oidc-data
"""
HARMLESS = """
prompt_tokens total_tokens max_tokens tokens token_type token_count tokenizer idempotency-key sort_key
primary_key public_key keyword monkey turkey keyboard password_changed_at password_policy secret_name
key_id author authority authenticated www-authenticate content-type accept user-agent sec-websocket-key
host etag x-request-id description pinned spinning design assigned card shipping opinion expiry id name
value data hash passed boarding_pass zip_code status_code card_type phone_number sort_code hs_code
"""


@pytest.mark.parametrize("name", SECRETS.split())
def test_names_of_secrets_are_known_in_any_spelling(name):
    assert is_secret_name(name)
    assert is_secret_name(name.replace("_", "-"))
    assert is_secret_name(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper())
    assert is_secret_name(re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower())


@pytest.mark.parametrize("name", HARMLESS.split())
def test_names_that_only_sound_like_secrets_are_let_through(name):
    assert not is_secret_name(name)


@given(st.text(), st.sampled_from(["password", "access_token", "x-api-key", "client-secret"]))
def test_a_secret_word_at_the_end_is_found_after_anything(front, word):
    assert is_secret_name(f"{front}_{word}")


@given(st.text(max_size=400))
def test_a_verdict_never_changes(name):
    assert is_secret_name(name) == is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abc",
        "bearer   abc",
        "Token abc",
        "Basic abc",
        "ApiKey abc",
        "KEY abc ",
        " abc",
        "abc",
    ],
)
def test_a_credential_is_the_same_with_and_without_its_scheme(text):
    assert bare_credential(text) == "abc"


def test_a_digest_is_the_sha256_of_the_bare_credential():
    assert credential_digest("abc").startswith("ba7816bf8f01cfea")
