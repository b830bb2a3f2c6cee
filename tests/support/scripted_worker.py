"""A media worker without media: a real process that speaks the control protocol and misbehaves when a room's name says so.

Rooms: ``refuse`` (Failed), ``full`` (Failed ``worker_full``), ``die`` (exits), ``hang`` (stops itself), ``garbage`` (breaks the
stream), ``mute`` (never answers), ``deaf`` (never answers what cuts media), ``wrong`` (answers with another reply). Any other
room is answered. Every command is told back as an event: TrackFlow(room, participant, source = what was done).
"""

import contextlib
import os
import signal
import socket
import sys
import threading

from media import control


def main() -> None:
    with contextlib.suppress(ConnectionError):
        serve()


def serve() -> None:
    stream = socket.socket(fileno=int(sys.argv[sys.argv.index("--control-fd") + 1]))
    lock = threading.Lock()

    def say(*messages: control.Message) -> None:
        with lock:
            stream.sendall(b"".join(map(control.encode, messages)))

    if "--never-ready" in sys.argv:
        stream.recv(1)
        signal.pause()
    reader = control.FrameReader()
    gates: dict[str, dict[str, list[str]]] = {}
    while data := stream.recv(65536):
        for frame in reader.feed(data):
            answer(stream, say, gates, control.decode_command(frame))


def answer(stream, say, gates, command) -> None:  # type: ignore[no-untyped-def]
    if isinstance(command, control.Configure):
        threading.Thread(target=beat, args=(say, command.heartbeat_interval_s), daemon=True).start()
        gates[""] = {"recorder": [command.name, command.recorder]}
        say(control.Ready((("127.0.0.1", command.port or 1),)))
        return
    room = getattr(command, "room", None) or ""
    kind = room.partition("-")[0]
    request = command.request
    if isinstance(command, control.Connect):
        replies = {
            "refuse": control.Failed(request, "not_sdp", "no"),
            "full": control.Failed(request, "worker_full"),
            "wrong": control.Done(request),
        }
        if kind == "die":
            os._exit(1)
        elif kind == "hang":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif kind == "garbage":
            stream.sendall(b"\xff" * 64)
        elif kind != "mute":
            done = control.TrackFlow(room, command.participant, "connected", True)
            say(done, replies.get(kind, control.Connected(request, f"v=0 {command.offer}")))
    elif isinstance(command, control.SetGates):
        gates.setdefault(room, {})[command.participant] = list(command.sources)
        if kind == "wrong" and command.sources:
            say(control.Failed(request, "broken"))
        elif kind != "deaf" or not command.sources:
            say(control.Done(request))
    elif isinstance(command, control.SetRecording):
        gates.setdefault(room, {})["recording"] = [
            command.recording,
            command.state,
            *(each.participant for each in command.whom),
        ]
        if kind != "deaf":
            say(control.Done(request))
    elif isinstance(command, control.SetReceive):
        say(control.Done(request))
    elif isinstance(command, control.Stats):
        say(control.StatsReport(request, {"gates": gates.get(room, {}), "pid": os.getpid(), "recorder": gates[""]["recorder"]}))
    elif isinstance(command, control.Disconnect):
        gates.get(room, {}).pop(command.participant, None)
        say(
            control.Slots(room, command.participant, (control.SlotState("3", "PA_1", "camera"),)),
            control.Speaking(room, (command.participant,)),
            control.PeerState(room, command.participant, "closed"),
            control.Speaking("elsewhere", ("PA_9",)),
            control.Done(request),
        )
    else:
        gates.pop(room, None)
        say(control.Done(request))


def beat(say, interval_s: float) -> None:  # type: ignore[no-untyped-def]
    never = threading.Event()
    while True:
        say(control.Heartbeat(0.0, 0, 0))
        never.wait(interval_s)


if __name__ == "__main__":
    main()
