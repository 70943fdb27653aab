"""Sends tasks to the workers of celery_app.py."""

from celery import chain
from celery_app import invite, restock, ship

chain(ship.si("first", "nora.lind@example.org"), invite.si("nora.lind@example.org"))()
restock.delay(mail="nora.lind@example.org")
