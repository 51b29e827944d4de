"""FastAPI with uvicorn: https://fastapi.tiangolo.com/deployment/server-workers/."""
