"""What the process leaves behind of its memory's last hour when it is killed, and what a later one makes of it."""
