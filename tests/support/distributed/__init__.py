"""Backends in several processes: started as plain programs, faulted, and counted.

What proves (`proofs`) asks for little of a group of processes (`group.Group`), so that containers
can stand in the place of the programs here.
"""
