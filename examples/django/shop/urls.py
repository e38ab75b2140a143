"""Where the views are."""

from django.urls import path

from shop import views

urlpatterns = [
    path("orders", views.place),
    path("orders/<str:task_id>", views.state),
    path("health", views.health),
]
