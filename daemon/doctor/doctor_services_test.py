#!/usr/bin/env python3
"""aima doctor on services, their engines, their ports and the provider that runs them.

usage: doctor_services_test.py AIMA ENGINE [unittest arguments]
"""
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
import unittest

from examined import PATIENCE, DoctorTest


class DoctorServices(DoctorTest):
    def test_engines_of_a_killed_daemon_run_on(self):
        self.start()
        self.service()
        self.end(signal.SIGKILL)
        self.doctor(status=0)
        self.assertIn("1 services, 1 engines: rows and engines agree", self.rows["services"]["found"])

    def test_rows_that_drifted(self):
        self.start()
        service = self.service()
        self.end(signal.SIGKILL)
        record = self.data / "instances" / (service["id"] + ".json")
        os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
        limit = time.monotonic() + PATIENCE
        while True:  # it ends when the kernel says so
            self.doctor(unchanged=False)
            if self.rows["services"]["details"] or time.monotonic() > limit:
                break
        self.doctor(status=1)
        self.only("services", "warning", f"{service['id']} (m-vllm) reads running, but process")
        record.rename(record.with_name("svc-00000000.json"))
        self.doctor(status=1)
        self.only("services", "warning", "nothing carries its label", "no row for svc-00000000")
        record.with_name("svc-00000000.json").write_text("{")
        self.doctor(status=1)
        self.only("services", "warning", "is no instance file")

    def test_an_engine_that_dies_under_a_running_daemon_is_corrected(self):
        self.start()
        service = self.service()
        record = self.data / "instances" / (service["id"] + ".json")
        os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
        self.doctor(status=0, unchanged=False)

    def test_a_port_that_a_service_wants(self):
        first = int(self.ports.split("-")[0])
        self.start()
        model = self.aima("model", "create", "--name", "m")
        self.aima("service", "create", "--model-id", model["id"], "--port", str(first))
        self.end(signal.SIGTERM)
        with socket.create_server(("127.0.0.1", first)):
            self.doctor(status=1)
            self.only("ports", "warning", f"wants port {first}")

    def test_a_dead_socket(self):
        dead = self.folder / "docker.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(dead))  # left behind: nobody listens
        host = {"DOCKER_HOST": f"unix://{dead}"}
        self.config.write_text(self.config.read_text().replace('"native"', '"docker"'))
        self.doctor(status=2, environment=host)
        self.only("provider", "broken", str(dead), "the settings demand it")
        self.config.write_text(self.config.read_text().replace('"docker"', '"auto"'))
        self.doctor(status=1, environment=host)
        self.only("provider", "warning", str(dead))
        self.doctor(status=1, environment={"DOCKER_HOST": "nonsense"})
        self.only("provider", "warning", "nonsense")

    def test_services_whose_provider_is_gone(self):
        self.start()
        self.service()
        self.end(signal.SIGTERM)
        with contextlib.closing(sqlite3.connect(self.data / "aima.db", isolation_level=None)) as database:
            database.execute("UPDATE services SET provider='docker', "
                             "body=json_set(body, '$.provider', 'docker')")
        self.doctor(status=2, environment={"DOCKER_HOST": f"unix://{self.folder}/none"})
        self.assertEqual(self.rows["provider"]["result"], "broken")
        self.assertIn("1 services run on it", self.rows["provider"]["found"])
        self.assertEqual(self.rows["services"]["result"], "warning")

    def test_containers(self):
        if not os.environ.get("AIMA_TEST_DOCKER"):
            self.skipTest("needs a container engine and the fixture image")
        self.config.write_text(self.config.read_text().replace('"native"', '"docker"'))
        self.environment["AIMA_ENGINE_VLLM_IMAGE"] = "aima-fixture-engine:latest"
        self.start()
        service = self.service()
        container = "aima-" + service["id"]
        try:
            self.doctor(status=0, unchanged=False)
            self.assertIn("1 services, 1 engines: rows and engines agree", self.rows["services"]["found"])
            self.end(signal.SIGKILL)
            self.doctor(status=0)
            seen = json.loads(subprocess.run(["docker", "inspect", container], capture_output=True,
                                             check=True).stdout)[0]
            self.assertTrue(seen["State"]["Running"], "the doctor touched a container")
            self.doctor(status=2, environment={"DOCKER_HOST": f"unix://{self.folder}/none"})
            self.assertIn("1 services run on it", self.rows["provider"]["found"])
        finally:
            subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=True)
        self.doctor(status=1)
        self.only("services", "warning", f"{service['id']} (m-vllm) reads running, but nothing carries")


if __name__ == "__main__":
    unittest.main()
