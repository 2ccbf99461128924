"""Events, users, companies and subscriptions through moesifapi, single and in batches."""

import os
from datetime import UTC, datetime

from moesifapi.models import (
    CampaignModel,
    CompanyModel,
    EventModel,
    EventRequestModel,
    EventResponseModel,
    SubscriptionModel,
    UserModel,
)
from moesifapi.moesif_api_client import Configuration, MoesifAPIClient

Configuration.BASE_URI = os.environ["MOESIF_BASE_URI"]
api = MoesifAPIClient(os.environ["MOESIF_APPLICATION_ID"]).api


def event(user: str, number: int) -> EventModel:
    now = datetime.now(UTC).replace(tzinfo=None)
    return EventModel(
        request=EventRequestModel(
            time=now,
            uri=f"https://api.example.test/items/{number}?page=2",
            verb="POST",
            headers={"Content-Type": "application/json", "X-Number": str(number)},
            # The client writes these as NaN, Infinity and a lone surrogate, which are not JSON.
            body={"a": float("nan"), "b": float("inf"), "s": "\ud800x", "big": 10**30},
        ),
        response=EventResponseModel(time=now, status=201, headers={}, body={"ok": True}),
        user_id=user,
        company_id="acme",
        session_token=f"token-of-{user}",
        metadata={"number": number},
    )


def subscription(name: str, company: str) -> SubscriptionModel:
    return SubscriptionModel(
        subscription_id=name,
        company_id=company,
        status="active",
        current_period_start=datetime(2026, 1, 1, tzinfo=UTC),
        current_period_end=datetime(2026, 2, 1, tzinfo=UTC),
    )


print("config", api.get_app_config().raw_body)
print("rules", api.get_governance_rules().raw_body)
print("etag", api.create_event(event("alice", 0)).get("X-Moesif-Config-ETag"))
api.create_events_batch([event("alice", n) for n in range(1, 4)])
api.create_events_batch([event("bob", n) for n in range(4, 6)])
api.update_user(
    UserModel(
        user_id="alice",
        company_id="acme",
        metadata={"email": "alice@example.test", "plan": "free"},
        modified_time=datetime(2026, 1, 1, tzinfo=UTC),
        campaign=CampaignModel(utm_source="news"),
    )
)
api.update_users_batch([UserModel(user_id="bob", company_id="acme", metadata={"plan": "pro"})])
api.update_company(CompanyModel(company_id="acme", metadata={"tier": "gold"}))
api.update_companies_batch([CompanyModel(company_id="globex", metadata={"tier": "silver"})])
api.update_subscription(subscription("sub_1", "acme"))
api.update_subscriptions_batch([subscription("sub_2", "globex")])
print("done")
