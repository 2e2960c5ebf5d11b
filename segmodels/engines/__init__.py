"""Engines: who does pieces of work side by side: processes, Dask, Ray, or what torchrun started."""
