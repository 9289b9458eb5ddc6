# The server image: one image, three commands (web, worker, beat) and a set-up; see docker-compose.yml.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# Every pin has a wheel for this Python, so no compiler and no system library is needed.
COPY requirements.txt .
RUN pip install --only-binary=:all: -r requirements.txt

COPY . .
# The files that the browser loads are gathered into the image; no secret is needed for that.
RUN STATIC_ROOT=/app/staticfiles python manage.py collectstatic --no-input
ENV STATIC_ROOT=/app/staticfiles

# Nothing in the image is writable by the process that serves.
RUN useradd --system --no-create-home --uid 10001 comp
USER comp
EXPOSE 8000
CMD ["gunicorn", "comp.wsgi", "--worker-class", "comp.web.serving.Worker", "--workers", "2", "--threads", "4", "--no-control-socket", "--bind", "0.0.0.0:8000"]
