"""Flask with gunicorn and with granian: https://flask.palletsprojects.com/deploying/."""
