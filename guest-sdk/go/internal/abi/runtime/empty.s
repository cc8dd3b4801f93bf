// Lets functions be declared that the host defines.
