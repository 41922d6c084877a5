from django.urls import path

from .views import lead, mine, preferences, screen, table

app_name = "review"

urlpatterns = [
    # /review/
    path("", screen.screen, name="screen"),
    path("decide/", screen.decide, name="decide"),
    path("undo/", screen.undo, name="undo"),
    path("keep/", screen.keep, name="keep"),
    path("look-again/", screen.look_again, name="look_again"),
    path("take/<int:pk>/", screen.take, name="take"),
    path("alike/<int:pk>/", screen.alike, name="alike"),
    # /review/queue/
    path("queue/", table.queue, name="queue"),
    path("queue/accept/", table.accept, name="accept"),
    # /review/mine/
    path("mine/", mine.mine, name="mine"),
    path("mine/<int:pk>/reopen/", mine.reopen, name="reopen"),
    # /review/lead/
    path("lead/", lead.lead, name="lead"),
    path("lead/work/", screen.work, name="work"),
    # /review/preferences/
    path("preferences/", preferences.preferences, name="preferences"),
]
