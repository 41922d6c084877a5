app_name = "classifier"
urlpatterns: list[object] = []
