"""What every package needs: logs, threads, forks, files, subprocesses, text formatting. No domain logic."""
