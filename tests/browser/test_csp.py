"""Every page keeps to the Content-Security-Policy in a real browser."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import RequestFactory
from django.urls import reverse
from playwright.sync_api import Page, expect

from classifier.admin.history import HistoryAdmin
from classifier.api import keys
from classifier.integrations.webhooks import events
from classifier.models import (
    Attribute,
    AttributeOption,
    Category,
    DraftLabel,
    Erasure,
    Failure,
    Gate,
    HelpDesk,
    LanguageModel,
    Mailbox,
    Ticket,
    TicketImport,
    Webhook,
    WriteBack,
)
from classifier.taxonomy import drafts
from review.benchmark import draft_comparison, execution, runs
from review.gold import snapshots
from review.models import Assignment, Contender, Decision, LabelImport, Run
from review.specialist import emerging_topics
from review.workflow import decisions
from review.workflow.decision_records import Label
from tests.browser.conftest import Console, OpenPage
from tests.factories import PASSWORD, make_gold, make_label_issue, make_ticket, make_topic, make_user, send_to_review
from tests.review.certification.scenes import recorded
from tests.review.specialist.test_specialist_page import course
from tests.test_roles import ACCESS_BY_URL

pytestmark = pytest.mark.browser

FILES = {"review:download", "review:manifest", "review:labelling_config", "review:evidence"}
"""URLs that download a file."""


@pytest.fixture
def admin_page(open_page: OpenPage, catalogue: None, admin: User) -> Page:
    """An admin's browser."""
    for changed in (Category.objects.first(), Gate.current()):
        changed.save()
    page = open_page(admin)
    page.goto("/admin/")
    return page


@pytest.fixture
def furnished(transactional_db: None, catalogue: None, admin: User) -> None:
    """At least one object of every model."""
    recorded()
    # These need no review, so each test fills the queue itself.
    Assignment.objects.all().delete()
    runs.load_built_in()
    Group.objects.create(name="Some")
    keys.create_key("Help desk", admin, ["classify"])
    TOTP.activate(make_user("protected"), generate_totp_secret())
    SocialAccount.objects.create(user=User.objects.get(username="protected"), provider="sso", uid="42")
    Erasure.objects.create(kind=Erasure.Kind.ERASED, remains=["snapshot f799cd88bcbd"])
    (assignment,) = send_to_review(make_ticket("<script>alert(1)</script>"))
    connected(assignment.ticket)
    prediction = assignment.ticket.predictions.get()
    decisions.decide(assignment, admin, Label(prediction.category, prediction.sentiment), key=uuid4())
    about = {"ticket": assignment.ticket, "language_model": Gate.current().primary, "contract": prediction.contract}
    Failure.objects.create(kind="timeout", detail="No answer.", **about)
    benchmarked(admin)
    course()
    priority = Attribute.objects.create(key="priority", name="Priority", kind="one_of")
    AttributeOption.objects.create(attribute=priority, name="High")


def connected(ticket: Ticket) -> None:
    """Connect a help desk, a webhook and a mailbox; nothing is sent."""
    events.send_test(Webhook.objects.create(name="CRM", url="https://crm.invalid/hook", secret_env="CRM_SECRET"))
    review_settings = HelpDesk.objects.create(
        name="ReviewSettings", slug="review_settings", kind=HelpDesk.Kind.ZENDESK, secret_env="DESK_SECRET"
    )
    WriteBack.objects.create(destination=review_settings, ticket=ticket)
    Mailbox.objects.create(name="Mail", slug="mail", host="mail.invalid", user="help", password_env="MAIL_SECRET")


def benchmarked(admin: User) -> Run:
    """A finished run of the embedded model, with the current taxonomy and with a draft."""
    draft = drafts.create("Fewer labels", admin)
    draft.labels.filter(name="General").update(description="Whatever is left.")
    run = runs.start_run(
        snapshots.create_snapshot(), draft_comparison.entries_for(draft, [LanguageModel.objects.zero_shot()])
    )
    execution.execute_run(run.pk)
    return run


def addresses(person: User) -> Iterator[str]:
    """The URLs of the admin pages that this person may open, but for Django's own of deletions and history."""
    request = RequestFactory().get("/")
    request.user = person
    for model, about in django_admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        if about.has_add_permission(request):
            yield reverse(f"{name}_add")
        row: Model | None = model._default_manager.last()
        assert row, f"{name} has no row"
        yield reverse(f"{name}_change", args=[row.pk])
        if isinstance(about, HistoryAdmin):
            yield reverse(f"{name}_history", args=[row.pk])


def test_admin_pages_keep_to_the_policy(furnished: None, admin_page: Page, admin: User, console: Console) -> None:
    seen = {}
    urls = ["/admin/", "/admin/password_change/", "/admin/password_change/done/"]
    for url in [*urls, f"/admin/auth/user/{admin.pk}/password/", *addresses(admin)]:
        response = admin_page.goto(url)
        assert response is not None
        assert response.status == 200, url
        if console.complaints:
            seen[url] = list(console.complaints)
            console.complaints.clear()
    assert seen == {}


def test_app_pages_keep_to_the_policy(furnished: None, admin_page: Page, console: Console) -> None:
    (assignment,) = send_to_review(make_ticket("One more to review."))
    contender = Contender.objects.filter(label="").latest("pk")
    drafted = Contender.objects.exclude(label="").latest("pk")
    digest = contender.run.snapshot.short
    topic, new = (
        make_topic(),
        emerging_topics.create_draft(DraftLabel(name="Insurance"), User.objects.get(username="ada")),
    )
    ones: dict[str, list[object]] = {
        "classifier:ticket": [Ticket.objects.last().pk],
        "review:duplicates": [Decision.objects.get().pk],
        "review:similar": [assignment.pk],
        "review:label_issue": [make_label_issue(make_gold(), "Account").pk],
        "review:label_import": [LabelImport.objects.create(name="labels.csv", size=1, state="finished").pk],
        "classifier:ticket_import": [TicketImport.objects.create(name="tickets.csv", size=1, state="finished").pk],
        "review:topic": [topic.pk],
        "review:drafted_category": [new.pk],
        "review:benchmark_run": [contender.run_id],
        "review:contender": [contender.run_id, contender.pk],
        "review:answers": [contender.run_id, contender.pk],
        "review:draft_changes": [drafted.run_id, drafted.pk],
        "review:snapshot": [digest],
    }
    for name, access in ACCESS_BY_URL.items():
        if "GET" in access.methods and name not in FILES:
            response = admin_page.goto(reverse(name, args=ones[name] if access.needs_key else []))
            assert response is not None
            assert response.status == 200, name
            assert console.complaints == [], name


def test_error_pages_keep_to_the_policy(admin_page: Page, tom: User, console: Console) -> None:
    console.forgive("Failed to load resource")
    for url, status in (("/nothing/", 404), ("/admin/nothing/", 404), ("/tickets/999999/", 404)):
        response = admin_page.goto(url)
        assert response is not None
        assert response.status == status
    admin_page.context.clear_cookies()
    admin_page.goto("/sign-in/")
    admin_page.get_by_label("Username").fill("tom")
    admin_page.get_by_label("Password").fill(PASSWORD)
    admin_page.keyboard.press("Enter")
    expect(admin_page.get_by_role("heading", name="You don't have access to this page")).to_be_visible()
    assert console.complaints == []


def test_admin_confirmations_keep_to_the_policy(admin_page: Page) -> None:
    make_ticket()
    admin_page.goto("/admin/classifier/category/")
    admin_page.get_by_role("checkbox").nth(1).check()
    admin_page.get_by_label("Action:").select_option("merge")
    admin_page.get_by_role("button", name="Go").click()
    admin_page.get_by_label("Merge into").select_option(index=1)
    admin_page.get_by_role("button", name="Merge").click()
    expect(admin_page.get_by_text("is merged into")).to_be_visible()
    admin_page.goto("/admin/classifier/ticket/")
    admin_page.get_by_role("checkbox").nth(1).check()
    admin_page.get_by_label("Action:").select_option("delete_selected")
    admin_page.get_by_role("button", name="Go").click()
    expect(admin_page.get_by_role("heading", level=1)).to_be_visible()


def test_history_of_an_object_can_be_read(admin_page: Page) -> None:
    admin_page.goto(reverse("admin:classifier_category_history", args=[Category.objects.first().pk]))
    admin_page.locator("#change-history a").first.click()
    expect(admin_page.get_by_text("Revert")).to_have_count(0)


def test_admin_scripts_work_under_the_policy(admin_page: Page) -> None:
    admin_page.goto("/admin/classifier/ticket/add/")
    admin_page.get_by_label("Text").fill("Typed in the admin.")
    due = admin_page.locator(".field-due_at")
    due.get_by_role("link", name="Today").click()
    due.get_by_role("link", name="Now").click()
    due.get_by_role("link", name="Choose a Date").click()
    admin_page.keyboard.press("Escape")
    admin_page.get_by_role("button", name="Save", exact=True).click()
    expect(admin_page.get_by_text("was added successfully")).to_be_visible()
    assert Ticket.objects.get(text="Typed in the admin.").due_at
    Group.objects.create(name="Some")
    admin_page.goto(reverse("admin:auth_user_change", args=[User.objects.get(username="ada").pk]))
    admin_page.get_by_text("Some", exact=True).first.dblclick()
    admin_page.get_by_role("button", name="Save", exact=True).click()
    assert User.objects.get(username="ada").groups.get().name == "Some"


def test_admin_popup_returns_the_new_object(admin_page: Page) -> None:
    admin_page.goto("/admin/classifier/category/add/")
    with admin_page.expect_popup() as opened:
        admin_page.locator("#add_id_parent").click()
    window = opened.value
    complaints: list[str] = []
    window.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    window.get_by_label("Name").fill("Made aside")
    window.get_by_role("button", name="Save").click()
    expect(admin_page.locator("#id_parent option:checked")).to_have_text("Made aside")
    assert complaints == []


def test_violation_of_the_policy_is_reported(admin_page: Page, console: Console) -> None:
    """Proves that the other tests can fail."""
    admin_page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">red</p>')")
    assert any("Content Security Policy" in complaint for complaint in console.complaints)
    console.complaints.clear()
