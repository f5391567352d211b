#!/usr/bin/env bash
# Django 5.2.19 (Python package) on SQLite: a DecimalField(max_digits=25, decimal_places=4) takes 99999999999999.9999 and gives back 100000000000000.0000, without an error or a
# warning: the column has NUMERIC affinity, so that SQLite makes a float of the text, and Django keeps 15 of its digits. Reading and saving an object changes the amount.
# A guess beforehand was every digit that the field declares, or an error for what does not fit.
# Seen: "1234567890.1234 -> 1234567890.1234; 99999999999999.9999 -> 100000000000000.0000; 123456789012345678.1234 -> 123456789012346000.0000".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Django==5.2.19
cat > decimals.py <<'PY'
from decimal import Decimal

import django
from django.conf import settings

settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()
from django.db import connection, models


class Account(models.Model):
    amount = models.DecimalField(max_digits=25, decimal_places=4)

    class Meta:
        app_label = "bank"


with connection.schema_editor() as editor:
    editor.create_model(Account)


def kept(text):
    account = Account(amount=Decimal(text))
    account.clean_fields(exclude=["id"])
    account.save()
    return f"{text} -> {Account.objects.get(pk=account.pk).amount}"


print("; ".join(kept(text) for text in ("1234567890.1234", "99999999999999.9999", "123456789012345678.1234")))
PY
seen=$(venv/bin/python decimals.py)
echo "$seen"
[ "$seen" = "1234567890.1234 -> 1234567890.1234; 99999999999999.9999 -> 100000000000000.0000; 123456789012345678.1234 -> 123456789012346000.0000" ]
