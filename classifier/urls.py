from django.urls import path

from classifier.integrations.helpdesks import views as helpdesks_views
from classifier.web import views

app_name = "classifier"

urlpatterns = [
    path("", views.inbox, name="inbox"),
    # /tickets/
    path("tickets/new/", views.new_ticket, name="new_ticket"),
    path("tickets/<int:pk>/", views.ticket_detail, name="ticket"),
    # /models/
    path("models/", views.models, name="models"),
    # /hooks/
    path("hooks/<slug:slug>/", helpdesks_views.receive_event, name="helpdesk_event"),
]
