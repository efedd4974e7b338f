from django.contrib import messages
from django.contrib.messages.constants import DEFAULT_LEVELS
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST


def index(request):
    return render(request, "index.html")


@csrf_exempt
@require_POST
def push_message(request):
    level = DEFAULT_LEVELS.get(request.POST.get("level", "").upper())
    if level is None:
        return HttpResponseBadRequest("unknown level")
    messages.add_message(request, level, request.POST.get("text", ""))
    return redirect("/")


def healthz(request):
    return HttpResponse("ok", content_type="text/plain")
