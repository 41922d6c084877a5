from django.http import HttpRequest, HttpResponse


def mine(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")


def reopen(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")
