# One image for everything: web, workers, tick, sessions. compose.yaml says which command is which.
FROM python:3.13-slim-bookworm

# pg_dump and pg_restore of the version in compose.yaml, for manage.py backup and restore.
RUN apt-get update -qq \
 && apt-get install -qq --yes --no-install-recommends curl ca-certificates postgresql-common \
 && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
 && apt-get install -qq --yes --no-install-recommends postgresql-client-17 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 smsapp \
 && install --directory --owner=smsapp --group=smsapp --mode=0700 /app /data

WORKDIR /app
USER smsapp
COPY --chown=smsapp run requirements.txt ./
RUN ./run install
COPY --chown=smsapp . .

ENV DATA_DIR=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["./run", "manage"]
