// The browser knows its time zone better than the server can guess it.
const list = document.querySelector('[data-guess="time-zone"]');
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (list && [...list.options].some((option) => option.value === zone)) list.value = zone;
