from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_limits_of_senders"),
    ]

    operations = [
        migrations.AddField(
            model_name="workspace",
            name="numbers_hidden",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Nobody"),
                    ("viewers", "Viewers"),
                    ("senders", "Viewers and senders"),
                ],
                default="",
                max_length=10,
                verbose_name="hide numbers from",
            ),
        ),
    ]
