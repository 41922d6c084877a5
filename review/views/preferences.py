from django.http import HttpRequest, HttpResponse


def preferences(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")
