"""From paired numbers to intervals, and from an interval to what it allows to be claimed."""
