from django.urls import path

from . import views

urlpatterns = [
    path("", views.index),
    path("messages", views.push_message),
    path("healthz", views.healthz),
]
