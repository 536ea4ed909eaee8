from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0010_attempt_kinds")]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["campaign", "reason", "-id"],
                condition=models.Q(
                    ("campaign__isnull", False), models.Q(("reason", ""), _negated=True)
                ),
                name="message_campaign_reason",
            ),
        ),
    ]
