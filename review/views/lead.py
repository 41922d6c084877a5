from django.http import HttpRequest, HttpResponse


def lead(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("soon")
