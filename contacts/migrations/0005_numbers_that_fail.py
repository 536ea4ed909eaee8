from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("contacts", "0004_contacts")]

    operations = [
        migrations.AlterField(
            model_name="optout",
            name="source",
            field=models.CharField(
                choices=[
                    ("provider", "told by the provider"),
                    ("person", "added by hand"),
                    ("invalid", "does not work"),
                ],
                max_length=10,
            ),
        ),
    ]
