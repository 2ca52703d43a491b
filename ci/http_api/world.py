"""What ci/http-api gives to the units: a good input for each, and the objects it names."""
import itertools


class World:
    """Objects for the units to work on, made through the units themselves."""

    def __init__(self, daemon):
        self.daemon, self.names = daemon, itertools.count(1)
        self.kept = {}

    def name(self):
        return f"thing-{next(self.names)}"

    def make(self, unit, given):
        status, _, reply = self.daemon.ask("POST", "/api/" + unit.replace(".", "/"), body=given)
        if status != 200:
            raise RuntimeError(f"{unit} {given}: {status} {reply}")
        return reply["id"]

    def model(self):
        return self.make("model.create", {"name": self.name()})

    def service(self):
        return self.make("service.create", {"model_id": self.model()})

    def running(self):
        """One service that runs; (service, model)."""
        if "running" not in self.kept:
            model = self.model()
            service = self.make("service.create", {"model_id": model})
            self.make("service.start", {"id": service, "timeout": 30})
            self.kept["running"] = service, model
        return self.kept["running"]

    def pipeline(self, unit="model.list", given=None):
        steps = [{"id": "one", "unit": unit, "input": given or {"limit": 1}}]
        return self.make("pipeline.create", {"name": self.name(), "steps": steps})

    def sample(self, unit):
        """A good input, with fresh objects where the unit uses them up."""
        steps = [{"id": "one", "unit": "model.list"}]
        recipe = {"name": self.name(), "hardware": {"gpu_vendor": "NVIDIA"}, "config": {"a": 1}}
        rule = {"name": self.name(), "condition": "gpu_temp > 80"}
        makers = {
            "model.create": lambda: {"name": self.name()},
            "model.get": lambda: {"id": self.model()},
            "service.create": lambda: {"model_id": self.model()},
            "service.get": lambda: {"id": self.running()[0]},
            "service.status": lambda: {"id": self.running()[0]},
            "service.logs": lambda: {"id": self.running()[0]},
            "service.start": lambda: {"id": self.running()[0]},  # a no-op that says so
            "service.stop": lambda: {"id": self.service()},
            "service.delete": lambda: {"id": self.service()},
            "engine.get": lambda: {"id": "vllm"},
            "catalog.create": lambda: recipe,
            "catalog.match": lambda: {"hardware": {"gpu_vendor": "NVIDIA"}},
            "catalog.get": lambda: {"id": self.make("catalog.create", recipe)},
            "skill.create": lambda: {"name": self.name()},
            "skill.get": lambda: {"id": self.make("skill.create", {"name": self.name()})},
            "skill.search": lambda: {"query": "backup"},
            "pipeline.create": lambda: {"name": self.name(), "steps": steps},
            "pipeline.get": lambda: {"id": self.pipeline()},
            "pipeline.run": lambda: {"id": self.pipeline()},
            "pipeline.status": lambda: {"id": self.make("pipeline.run", {"id": self.pipeline()})},
            "alert.create": lambda: rule,
            "alert.get": lambda: {"id": self.make("alert.create", rule)},
            "inference.chat": lambda: {"model": self.running()[1], "message": "hello"},
        }
        for domain in ("model", "catalog", "skill", "pipeline", "alert"):
            makers[f"{domain}.delete"] = makers[f"{domain}.get"]
        # Still under way when it is to be cancelled; then its step's answer ends it.
        makers["pipeline.cancel"] = lambda: {"id": self.make("pipeline.run", {
            "id": self.pipeline("inference.chat", {
                "model": self.running()[1], "message": "x", "fixture": {"latency_ms": 2000}})})}
        return makers.get(unit, dict)()
