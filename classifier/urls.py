from django.urls import path

from classifier.integrations.helpdesks import views as helpdesks_views
from classifier.web import import_views, views

app_name = "classifier"

urlpatterns = [
    path("", views.inbox, name="inbox"),
    # /tickets/
    path("tickets/new/", views.new_ticket, name="new_ticket"),
    path("tickets/import/", import_views.import_tickets, name="import_tickets"),
    path("tickets/imports/<int:pk>/", import_views.ticket_import, name="ticket_import"),
    path("tickets/imports/<int:pk>/read/", import_views.read_again, name="read_again"),
    path("tickets/<int:pk>/", views.ticket_detail, name="ticket"),
    # /models/
    path("models/", views.models, name="models"),
    # /hooks/
    path("hooks/<slug:slug>/", helpdesks_views.receive_event, name="helpdesk_event"),
]
