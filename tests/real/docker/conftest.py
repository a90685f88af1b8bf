"""The Docker fixtures for this folder."""

from tests.docker_support import docker_image as docker_image
from tests.docker_support import docker_url as docker_url
