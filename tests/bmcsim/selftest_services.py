"""Tasks, sessions and accounts, events, transfers. Loaded by selftest.py."""

import base64
import hashlib
import http.server
import json
import threading

from selftest_support import ROOT, Case, wait_for

SYSTEM = f"{ROOT}/Systems/system1"
BLINK = f"{SYSTEM}/Actions/Oem/OemSim.Blink"
SESSIONS = f"{ROOT}/SessionService/Sessions"
ACCOUNTS = f"{ROOT}/AccountService/Accounts"
SUBSCRIPTIONS = f"{ROOT}/EventService/Subscriptions"


class Tasks(Case):
    def test_action_becomes_a_task_with_a_monitor(self):
        self.control("POST", "/options", satellite="gen", hold_tasks=True)
        self.addCleanup(self.control, "POST", "/options", satellite="gen", hold_tasks=False)
        answer = self.client("POST", BLINK, {"Times": 3}, X_Command_Id="blink-1")
        self.assertEqual((202, "1"), (answer.status, answer.headers["Retry-After"]))
        task, monitor = answer.json, answer.headers["Location"]
        self.assertEqual((f"{ROOT}/TaskService/TaskMonitors/{task['Id']}", monitor), (monitor, task["TaskMonitor"]))
        self.assertIn({"@odata.id": task["@odata.id"]}, self.get(f"{ROOT}/TaskService/Tasks").json["Members"])
        payload = task["Payload"]
        self.assertEqual((BLINK, "POST", {"Times": 3}),
                         (payload["TargetUri"], payload["HttpOperation"], json.loads(payload["JsonBody"])))
        self.assertIn("X-Command-Id: blink-1", payload["HttpHeaders"])
        self.assertFalse([each for each in payload["HttpHeaders"] if each.startswith("Authorization")])
        self.assertEqual(202, self.client.get(monitor).status)
        self.control("POST", "/finish-tasks", satellite="gen")
        self.assertEqual(200, self.client.get(monitor).status)
        self.assertEqual("Completed", self.get(task["@odata.id"]).json["TaskState"])
        self.assertEqual(204, self.client("DELETE", monitor).status)
        self.assertEqual(404, self.client.get(task["@odata.id"]).status)

    def test_task_ends_by_itself_and_monitor_may_stand_below_the_task(self):
        client = self.new_client("plain")
        answer = client("POST", BLINK, {})
        self.assertRegex(answer.headers["Location"], rf"^{ROOT}/TaskService/Tasks/\d+/Monitor$")
        wait_for(lambda: client.get(answer.headers["Location"]).status == 200, "the task's end")
        self.assertEqual(100, client.get(answer.json["@odata.id"]).json["PercentComplete"])

    def test_location_may_be_a_whole_url(self):
        self.control("POST", "/options", satellite="gen", absolute=True)
        self.addCleanup(self.control, "POST", "/options", satellite="gen", absolute=False)
        url = self.client("POST", BLINK, {}).headers["Location"]
        self.assertTrue(url.startswith(self.simulator["gen"]["url"] + ROOT), url)

    def test_failed_task(self):
        self.control("POST", "/options", satellite="gen", hold_tasks=True)
        self.addCleanup(self.control, "POST", "/options", satellite="gen", hold_tasks=False)
        answer = self.client("POST", BLINK, {})
        self.control("POST", "/finish-tasks", satellite="gen", state="Exception", id=int(answer.json["Id"]))
        self.assertEqual(500, self.client.get(answer.headers["Location"]).status)
        self.assertEqual("Exception", self.get(answer.json["@odata.id"]).json["TaskState"])

    def test_collected_diagnostic_data_is_named_by_the_final_answer(self):
        log = f"{ROOT}/Managers/bmc/LogServices/Journal"
        answer = self.client("POST", f"{log}/Actions/LogService.CollectDiagnosticData",
                             {"DiagnosticDataType": "Manager"})
        final = wait_for(lambda: self.monitor_answer(answer.headers["Location"]), "the task's end")
        self.assertEqual(201, final.status)
        entry = self.get(final.headers["Location"]).json
        self.assertEqual(1048576, len(self.get(entry["AdditionalDataURI"]).body))
        payload = self.get(answer.json["@odata.id"]).json["Payload"]
        self.assertIn(f"Location: {final.headers['Location']}", payload["HttpHeaders"])

    def monitor_answer(self, uri):
        answer = self.client.get(uri)
        return answer if answer.status != 202 else None


class Accounts(Case):
    def log_in(self, client, user="root", password="password", path=SESSIONS):
        return client("POST", path, {"UserName": user, "Password": password})

    def test_session_is_created_used_and_deleted(self):
        client = self.new_client(credentials=False)
        answer = self.log_in(client)
        uri, token = answer.headers["Location"], answer.headers["X-Auth-Token"]
        self.assertEqual((201, "root", uri), (answer.status, answer.json["UserName"], answer.json["@odata.id"]))
        self.assertRegex(token, "^[0-9a-f]{32}$")
        self.assertNotEqual(token, self.log_in(client, path=SESSIONS + "/Members").headers["X-Auth-Token"])
        self.assertEqual(200, client.get(SYSTEM, X_Auth_Token=token).status)
        self.assertIn({"@odata.id": uri}, client.get(SESSIONS, X_Auth_Token=token).json["Members"])
        self.assertEqual(204, client("DELETE", uri, X_Auth_Token=token).status)
        self.assertEqual(401, client.get(SYSTEM, X_Auth_Token=token).status)

    def test_wrong_password_and_missing_property(self):
        client = self.new_client(credentials=False)
        self.assertEqual(401, self.log_in(client, password="wrong").status)
        self.assertEqual(400, client("POST", SESSIONS, {"UserName": "root"}).status)

    def test_sessions_expire_on_demand(self):
        client = self.new_client(credentials=False)
        token = self.log_in(client).headers["X-Auth-Token"]
        self.assertGreaterEqual(self.counts()["sessions"], 1)
        self.control("POST", "/expire-sessions", satellite="gen")
        self.assertEqual(401, client.get(SYSTEM, X_Auth_Token=token).status)
        self.assertEqual([], self.get(SESSIONS).json["Members"])

    def test_session_only_takes_no_basic_and_has_its_limit(self):
        client = self.new_client("strict")
        self.assertEqual(401, client.get(SYSTEM).status)
        token = self.log_in(client).headers["X-Auth-Token"]
        self.assertEqual(503, self.log_in(client).status)
        client.headers = {"X-Auth-Token": token}
        self.assertEqual(428, client("PATCH", SYSTEM, {"AssetTag": "x"}).status)
        self.assertEqual(200, client("PATCH", SYSTEM, {"AssetTag": "x"}, If_Match="*").status)

    def test_basic_only_has_no_sessions(self):
        client = self.new_client("basic")
        self.assertEqual((200, 405), (client.get(SYSTEM).status, self.log_in(client).status))

    def test_accounts_log_in_by_their_role_until_deleted(self):
        answer = self.client("POST", ACCOUNTS, {"UserName": "ann", "Password": "secret-1", "RoleId": "ReadOnly"})
        self.assertEqual((201, None), (answer.status, answer.json["Password"]))
        uri = answer.headers["Location"]
        ann = self.new_client(credentials=False)
        ann.headers["Authorization"] = "Basic " + base64.b64encode(b"ann:secret-1").decode()
        self.assertEqual((200, 403), (ann.get(SYSTEM).status, ann("PATCH", SYSTEM, {"AssetTag": "x"}).status))
        self.client("PATCH", uri, {"RoleId": "Operator"})
        self.assertEqual(200, ann("PATCH", SYSTEM, {"AssetTag": "x"}).status)
        self.assertEqual(403, ann("DELETE", uri).status)
        self.client("PATCH", uri, {"Password": "secret-2"})
        self.assertEqual(401, ann.get(SYSTEM).status)
        self.assertEqual(201, self.log_in(ann, "ann", "secret-2").status)
        self.client("DELETE", uri)
        self.assertEqual(401, self.log_in(ann, "ann", "secret-2").status)
        self.assertEqual(400, self.client("POST", ACCOUNTS, {"UserName": "bob"}).status)


class Listener:
    """Takes pushed events on a port of its own."""

    def __init__(self):
        self.taken = taken = []
        self.fail = fail = [0]      # answers 500 to so many

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = 500 if fail[0] > 0 else 204
                fail[0] -= 1
                if status == 204:
                    taken.append((dict(self.headers), json.loads(body)))  # before the answer, which lets the next one come
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Events(Case):
    def open_stream(self, client, **headers):
        response = client.send("GET", f"{ROOT}/EventService/SSE", **headers)
        self.assertEqual((200, "text/event-stream"), (response.status, response.headers["Content-Type"]))
        self.assertEqual(b": open\n", response.readline())
        self.assertEqual(b"\n", response.readline())
        return response

    def next_event(self, response):
        """(id, lines of data, the Event)"""
        number, data = None, []
        while line := response.readline().decode().rstrip("\n"):
            name, _, text = line.partition(": ")
            if name == "id":
                number = int(text)
            elif name == "data":
                data.append(text)
        return number, len(data), json.loads("\n".join(data)) if data else None

    def test_server_sent_events(self):
        stream = self.open_stream(self.new_client())
        self.control("POST", "/event", satellite="gen", message_id="ResourceEvent.1.3.0.ResourceChanged",
                     origin=SYSTEM, args=["a"])
        number, lines, event = self.next_event(stream)
        record = event["Events"][0]
        self.assertEqual((1, str(number), {"@odata.id": SYSTEM}, ["a"]),
                         (lines, event["Id"], record["OriginOfCondition"], record["MessageArgs"]))
        self.assertIn(SYSTEM, record["Message"])
        self.control("POST", "/event", satellite="gen", pretty=True, count=2)
        self.assertGreater(self.next_event(stream)[1], 5)
        self.assertEqual(number + 2, self.next_event(stream)[0])

    def test_changes_emit_events(self):
        stream = self.open_stream(self.new_client())
        self.client("PATCH", SYSTEM, {"AssetTag": "event"})
        record = self.next_event(stream)[2]["Events"][0]
        self.assertEqual((SYSTEM, "ResourceEvent.1.3.0.ResourceChanged"),
                         (record["OriginOfCondition"]["@odata.id"], record["MessageId"]))

    def test_stream_resumes_after_the_last_event_id(self):
        first, second, third = self.control("POST", "/event", satellite="gen", count=3)["gen"]
        stream = self.open_stream(self.new_client(), Last_Event_ID=first)
        self.assertEqual([int(second), int(third)], [self.next_event(stream)[0] for _ in range(2)])

    def test_stream_is_a_subscription_while_it_lasts(self):
        client = self.new_client()
        self.open_stream(client)
        member, = [each["@odata.id"] for each in self.get(SUBSCRIPTIONS).json["Members"]
                   if self.get(each["@odata.id"]).json["SubscriptionType"] == "SSE"][-1:]
        client.connection.sock.close() if client.connection.sock else None
        stream = self.open_stream(self.new_client())
        newest = self.get(SUBSCRIPTIONS).json["Members"][-1]["@odata.id"]
        self.assertNotEqual(member, newest)
        self.assertEqual(204, self.client("DELETE", newest).status)
        self.assertEqual(b"", stream.read())

    def test_stream_that_the_client_left_is_forgotten(self):
        client = self.new_client("plain")
        peer = self.new_client("plain")
        response = self.open_stream(client)
        self.assertEqual(1, len(peer.get(SUBSCRIPTIONS).json["Members"]))
        response.close()
        client.close()
        wait_for(lambda: peer.get(SUBSCRIPTIONS).json["Members"] == [], "the subscription goes")

    def test_idle_stream_is_kept_alive(self):
        self.assertEqual(b": alive\n", self.open_stream(self.new_client("plain")).readline())

    def test_pushed_events_come_in_order_with_context_and_headers(self):
        listener = Listener()
        self.addCleanup(listener.stop)
        answer = self.client("POST", SUBSCRIPTIONS, {
            "Destination": listener.url, "Protocol": "Redfish", "Context": "ctx", "RegistryPrefixes": ["Base"],
            "HttpHeaders": [{"X-Secret": "s"}]})
        self.assertEqual((201, []), (answer.status, answer.json["HttpHeaders"]))
        self.addCleanup(self.client, "DELETE", answer.headers["Location"])
        listener.fail[0] = 1
        self.control("POST", "/event", satellite="gen", message_id="Other.1.0.Filtered")
        action = f"{ROOT}/EventService/Actions/EventService.SubmitTestEvent"
        for number in range(3):
            body = {"MessageId": "Base.1.13.TestMessage", "Message": f"at {SYSTEM}.", "MessageArgs": [str(number)],
                    "OriginOfCondition": SYSTEM}
            self.assertEqual(204, self.client("POST", action, body).status)
        wait_for(lambda: len(listener.taken) == 3, "three events")
        records = [event["Events"][0] for _, event in listener.taken]
        self.assertEqual([["0"], ["1"], ["2"]], [record["MessageArgs"] for record in records])
        self.assertEqual(f"at {SYSTEM}.", records[0]["Message"])
        self.assertEqual({("ctx", "s")}, {(event["Context"], headers["X-Secret"]) for headers, event in listener.taken})

    def test_bad_subscriptions_and_unprobed_destinations(self):
        for body in ({"Destination": "http://127.0.0.1:1/", "Protocol": "FTP"}, {"Protocol": "Redfish"},
                     {"Destination": "nowhere", "Protocol": "Redfish"}):
            self.assertEqual(400, self.client("POST", SUBSCRIPTIONS, body).status, body)
        answer = self.client("POST", SUBSCRIPTIONS, {"Destination": "https://192.0.2.1/x", "Protocol": "Redfish"})
        self.assertEqual(201, answer.status)
        self.assertEqual(204, self.client("DELETE", answer.headers["Location"]).status)


class Transfers(Case):
    IMAGE = bytes(range(256)) * 40000       # 10 MB

    def last_upload(self):
        return self.control("GET", "/uploads?satellite=gen")[-1]

    def test_multipart_update(self):
        def part(name, more, kind, body):
            return (f'--sep\r\nContent-Disposition: form-data; name="{name}"{more}\r\nContent-Type: {kind}\r\n\r\n'
                    .encode() + body + b"\r\n")
        body = (part("UpdateParameters", "", "application/json", json.dumps({"Targets": [SYSTEM]}).encode())
                + part("UpdateFile", '; filename="fw.bin"', "application/octet-stream", self.IMAGE) + b"--sep--\r\n")
        uri = self.get(f"{ROOT}/UpdateService").json["MultipartHttpPushUri"]
        answer = self.client("POST", uri, body, Content_Type="multipart/form-data; boundary=sep")
        self.assertEqual(202, answer.status)
        upload = self.last_upload()
        self.assertEqual((len(self.IMAGE), hashlib.sha256(self.IMAGE).hexdigest(), "fw.bin", {"Targets": [SYSTEM]}),
                         (upload["size"], upload["sha256"], upload["filename"], upload["parameters"]))
        self.assertTrue(upload["finished"])
        bad = self.client("POST", uri, b"--sep--\r\n", Content_Type="multipart/form-data; boundary=sep")
        self.assertEqual(400, bad.status)

    def test_raw_update_also_chunked(self):
        uri = self.get(f"{ROOT}/UpdateService").json["HttpPushUri"]
        pieces = [self.IMAGE[start:start + 65536] for start in range(0, len(self.IMAGE), 65536)]
        answer = self.client("POST", uri, iter(pieces), Content_Type="application/octet-stream")
        self.assertEqual(202, answer.status)
        self.assertEqual(hashlib.sha256(self.IMAGE).hexdigest(), self.last_upload()["sha256"])
        self.assertEqual(self.last_upload()["sha256"], self.executed()[-1]["body_sha256"])

    def test_expect_continue_is_answered(self):
        connection = self.client.connection
        connection.putrequest("POST", f"{ROOT}/UpdateService/update")
        for name, value in {**self.client.headers, "Expect": "100-continue", "Content-Length": "3"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n", connection.sock.recv(23))
        self.assertEqual(b"\r\n", connection.sock.recv(2))
        connection.send(b"abc")
        response = connection.getresponse()
        self.assertEqual(202, response.status)
        response.read()

    def test_broken_upload_is_recorded_as_unfinished(self):
        connection = self.client.connection
        connection.putrequest("POST", f"{ROOT}/UpdateService/update")
        for name, value in {**self.client.headers, "Content-Length": "1000000"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b"x" * 1000)
        wait_for(lambda: self.last_upload()["size"] == 1000, "the first bytes")
        connection.close()
        self.assertFalse(self.last_upload()["finished"])

    def test_simple_update(self):
        action = f"{ROOT}/UpdateService/Actions/UpdateService.SimpleUpdate"
        self.assertEqual(202, self.client("POST", action, {"ImageURI": "http://h/x", "TransferProtocol": "HTTP"}).status)
        self.assertEqual(400, self.client("POST", action, {}).status)
        self.assertEqual(400, self.client("POST", action, {"ImageURI": "x", "TransferProtocol": "FTP"}).status)

    def test_download(self):
        size = 3_000_001
        for query, length in (("", str(size)), ("?chunked=1", None)):
            answer = self.get(f"{ROOT}/Download/{size}{query}")
            self.assertEqual((size, length), (len(answer.body), answer.headers["Content-Length"]))
            self.assertNotEqual(answer.body[:65536], answer.body[65536:131072])
            expected = self.control("GET", f"/download-sha256?bytes={size}")["sha256"]
            self.assertEqual(expected, hashlib.sha256(answer.body).hexdigest())


class Mixed(Case):
    def test_virtual_media(self):
        media = f"{ROOT}/Managers/bmc/VirtualMedia/cd1"
        self.client("POST", f"{media}/Actions/VirtualMedia.InsertMedia", {"Image": "http://h/a.iso"})
        body = self.get(media).json
        self.assertEqual(("a.iso", True), (body["ImageName"], body["Inserted"]))
        self.client("POST", f"{media}/Actions/VirtualMedia.EjectMedia", {})
        self.assertFalse(self.get(media).json["Inserted"])

    def test_control_options(self):
        self.assertEqual(400, self.simulator.control("POST", "/options", port=5)[0])
        self.assertEqual(400, self.simulator.control("POST", "/options", satellite="nobody", page=5)[0])
