"""All resolutions of an image in one pass. Not called `pyramid`: that is the function, `gigapix.pyramid`."""
