from django.http import HttpRequest, HttpResponse


def queue(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")


def accept(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")
