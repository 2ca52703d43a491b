"""Documents that are not true, for the selftest of ci/http-api."""
import copy


def untrue_documents(document):
    """(what is untrue, the check that must say so, the document)."""
    def changed(what, check, change):
        untrue = copy.deepcopy(document)
        change(untrue)
        return what, check, untrue
    paths, schemas = (lambda d: d["paths"]), (lambda d: d["components"]["schemas"])
    severity = {"type": "string", "enum": ["info", "warning", "critical", "loud"]}
    yield changed("an operation without responses", "document",
                  lambda d: paths(d)["/health"]["get"].pop("responses"))
    yield changed("a parameter that is nowhere", "document", lambda d: paths(d)[
        "/api/model/list"]["get"]["parameters"][1].update({"in": "querry"}))
    yield changed("a type that is none", "document",
                  lambda d: schemas(d)["Page"].update(type="lst"))
    yield changed("a reference to nothing", "document",
                  lambda d: schemas(d)["Page"]["properties"].update(
                      total={"$ref": "#/components/schemas/Nothing"}))
    yield changed("a path without its parameter", "document", lambda d: paths(d)[
        "/api/v2/models/{id}"]["get"].update(parameters=[]))
    yield changed("a unit that is left out", "document", lambda d: paths(d).pop("/api/model/get"))
    yield changed("an alias that is left out", "document",
                  lambda d: paths(d).pop("/api/v2/engines/{name}"))
    yield changed("an alias that the contract does not tell", "document", lambda d: paths(d)[
        "/api/v2/models/{id}"].update(post={**paths(d)["/api/v2/models/{id}"]["delete"],
                                            "operationId": "another"}))
    yield changed("a path that is not there", "answers", lambda d: paths(d).update(
        {"/api/model/lst": paths(d)["/api/model/list"]}))
    yield changed("another form of reply", "answers", lambda d: schemas(d)["Page"]["properties"][
        "total"].update(type="string"))
    yield changed("an envelope that is none", "answers", lambda d: paths(d).update(
        {"/api/model/list": paths(d)["/api/v2/models"]}))
    yield changed("a method that is not allowed", "methods",
                  lambda d: paths(d)["/health"].update(delete=paths(d)["/health"]["get"]))
    yield changed("a method that is left out", "methods",
                  lambda d: paths(d)["/api/v2/models/{id}"].pop("delete"))
    yield changed("a field that is not required", "inputs", lambda d: schemas(d)[
        "model.create"].update(required=["name", "source"]))
    yield changed("a limit that is higher", "inputs", lambda d: [
        p for p in paths(d)["/api/model/list"]["get"]["parameters"] if p.get("name") == "limit"
    ][0]["schema"].update(maximum=20000))
    yield changed("a word that is not known", "inputs", lambda d: [
        p for p in paths(d)["/api/alert/list"]["get"]["parameters"] if p.get("name") == "severity"
    ][0].update(schema=severity))
    yield changed("a field of another type", "inputs", lambda d: schemas(d)["alert.create"][
        "properties"].update(condition={"type": "integer"}))
    yield changed("a page that is none", "pages", lambda d: paths(d)["/api/system/info"]["get"][
        "responses"].update({"200": paths(d)["/api/model/list"]["get"]["responses"]["200"]}))
    yield changed("a guard that does not stand there", "guard",
                  lambda d: paths(d)["/health"]["get"]["responses"].update(
                      {"429": paths(d)["/metrics"]["get"]["responses"]["429"]}))
    yield changed("a guard that is left out", "guard",
                  lambda d: paths(d)["/metrics"]["get"]["responses"].pop("401"))
    yield changed("an envelope of something else", "execute", lambda d: schemas(d)[
        "Meta"]["properties"]["trace_id"].update(type="integer"))
