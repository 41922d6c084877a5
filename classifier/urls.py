from django.urls import path

from . import views, views_hooks

app_name = "classifier"

urlpatterns = [
    path("", views.inbox, name="inbox"),
    # /tickets/
    path("tickets/new/", views.new_ticket, name="new_ticket"),
    path("tickets/<int:pk>/", views.ticket, name="ticket"),
    # /models/
    path("models/", views.models, name="models"),
    # /hooks/
    path("hooks/<slug:slug>/", views_hooks.hook, name="hook"),
]
