"""An SSH server that lets in by a key and then a one-time code, as many clusters do."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Sequence

import paramiko


class CodeServer(paramiko.ServerInterface):
    """Serves on loopback until closed; runs no command, only echoes its line."""

    def __init__(self, key: paramiko.PKey | None, questions: Sequence[str], answers: list[str]):
        self.key = key
        self.questions = list(questions)
        self.answers = answers
        self.logins = 0
        self.host_key = paramiko.ECDSAKey.generate()
        self.transports: list[paramiko.Transport] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(self.host_key)
            self.transports.append(transport)
            transport.start_server(server=self)

    def close(self) -> None:
        self.listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut every connection there is."""
        while self.transports:
            self.transports.pop().close()

    def get_allowed_auths(self, username: str) -> str:
        return "publickey" if self.key else "keyboard-interactive"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self.key is None or key.asbytes() != self.key.asbytes():
            return paramiko.AUTH_FAILED
        self.key = None
        return paramiko.AUTH_PARTIALLY_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str):
        query = paramiko.InteractiveQuery("Two factors", "Have your token ready")
        for question in self.questions:
            query.add_prompt(question, False)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        self.logins += 1
        right = list(responses) == self.answers
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def answer() -> None:
            done = subprocess.run(["sh", "-c", command.decode()], capture_output=True)
            channel.sendall(done.stdout)
            channel.send_exit_status(done.returncode)
            channel.shutdown_write()
            channel.close()

        threading.Thread(target=answer, daemon=True).start()
        return True
