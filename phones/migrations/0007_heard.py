import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("phones", "0006_pools"),
    ]

    operations = [
        migrations.AddField(
            model_name="lease",
            name="heard_at",
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AddField(
            model_name="lease",
            name="process",
            field=models.CharField(blank=True, max_length=120),
        ),
    ]
