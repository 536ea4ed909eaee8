"""Whom: people, groups, fields, imports and opt-outs."""

from __future__ import annotations

from django.urls import URLPattern, path

from contacts.views import changes, exports, fields, groups, imports, opt_outs, people, segments

urlpatterns: list[URLPattern] = [
    path("contacts/", people.contacts, name="contacts"),
    path("contacts/add/", people.contact_add, name="contact_add"),
    path("contacts/change/", changes.contacts_change, name="contacts_change"),
    path("contacts/changes/", changes.contacts_changes, name="contacts_changes"),
    path("contacts/changes/<int:pk>/undo/", changes.change_undo, name="change_undo"),
    path("contacts/duplicates/", changes.contacts_duplicates, name="contacts_duplicates"),
    path("contacts/merge/", changes.contacts_merge, name="contacts_merge"),
    path("contacts/<int:pk>/", people.contact, name="contact"),
    path("contacts/<int:pk>/edit/", people.contact_edit, name="contact_edit"),
    path("contacts/<int:pk>/delete/", people.contact_delete, name="contact_delete"),
    path("contacts/<int:pk>/data/", people.contact_data, name="contact_data"),
    path("contacts/<int:pk>/erase/", people.contact_erase, name="contact_erase"),
    path("groups/", groups.groups, name="groups"),
    path("groups/add/", groups.group_add, name="group_add"),
    path("groups/<int:pk>/", groups.group, name="group"),
    path("groups/<int:pk>/edit/", groups.group_edit, name="group_edit"),
    path("groups/<int:pk>/delete/", groups.group_delete, name="group_delete"),
    path("segments/", segments.segments, name="segments"),
    path("segments/add/", segments.segment_add, name="segment_add"),
    path("segments/<int:pk>/", segments.segment, name="segment"),
    path("segments/<int:pk>/edit/", segments.segment_edit, name="segment_edit"),
    path("segments/<int:pk>/delete/", segments.segment_delete, name="segment_delete"),
    path("contacts/fields/", fields.fields, name="fields"),
    path("contacts/fields/add/", fields.field_add, name="field_add"),
    path("contacts/fields/<int:pk>/edit/", fields.field_edit, name="field_edit"),
    path("contacts/fields/<int:pk>/delete/", fields.field_delete, name="field_delete"),
    path("contacts/export/", exports.contacts_export, name="contacts_export"),
    path("contacts/imports/", imports.imports, name="imports"),
    path("contacts/imports/add/", imports.import_add, name="import_add"),
    path("contacts/imports/<int:pk>/", imports.import_, name="import"),
    path("contacts/imports/<int:pk>/shape/", imports.import_shape, name="import_shape"),
    path("contacts/imports/<int:pk>/check/", imports.import_check, name="import_check"),
    path("contacts/imports/<int:pk>/back/", imports.import_back, name="import_back"),
    path("contacts/imports/<int:pk>/start/", imports.import_start, name="import_start"),
    path("contacts/imports/<int:pk>/stop/", imports.import_stop, name="import_stop"),
    path("contacts/imports/<int:pk>/rejected/", imports.import_rejected, name="import_rejected"),
    path("contacts/imports/<int:pk>/delete/", imports.import_delete, name="import_delete"),
    path("opt-outs/", opt_outs.opt_outs, name="opt_outs"),
    path("opt-outs/add/", opt_outs.opt_out_add, name="opt_out_add"),
    path("opt-outs/<int:pk>/remove/", opt_outs.opt_out_remove, name="opt_out_remove"),
]
