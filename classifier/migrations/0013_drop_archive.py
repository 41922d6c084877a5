import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0012_into_production_roles")]

    operations = [
        migrations.DeleteModel(name="Archive"),
        migrations.AlterField(
            model_name="auditdraw",
            name="score",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="classifier.score"
            ),
        ),
        migrations.AlterField(
            model_name="auditdraw",
            name="verdict",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="audit_draw", to="classifier.verdict"
            ),
        ),
    ]
