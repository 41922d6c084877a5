from django.http import HttpRequest, HttpResponse


def screen(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")


def decide(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")


def undo(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")


def keep(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")


def look_again(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")


def take(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")


def alike(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")


def work(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")
